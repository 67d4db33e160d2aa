package gateway

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ackbus/ackbus/bus"
)

// ParseTarget reads the address that a client or a publisher sends to. It is bus.ParseAddress, but for the kinds that its errors name:
// those that can be sent to. The address of a method is read as well, for who sends there is to be told that methods are called. Errors
// wrap bus.ErrAddress.
func ParseTarget(text string) (bus.Address, error) {
	targets := []string{"user", "group", "socket", "node", "topic"}
	kind, _, named := strings.Cut(text, ":")
	if text == "all" || named && (kind == "method" || slices.Contains(targets, kind)) {
		return bus.ParseAddress(text)
	}
	return bus.Address{}, fmt.Errorf("%w %q: want kind:name (kinds: %s) or all", bus.ErrAddress, clip(text), strings.Join(targets, ", "))
}
