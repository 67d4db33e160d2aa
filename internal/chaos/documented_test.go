package chaos

import (
	"os"
	"strings"
	"testing"
)

// Every fault stands in the table of faults, by its name, or by its place and what is done to it.
func TestFaultsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds() {
		for part := range strings.SplitSeq(k.name, ": ") {
			if !strings.Contains(string(text), part) {
				t.Errorf("docs/faults.md does not say %q of %q", part, k.name)
			}
		}
	}
}
