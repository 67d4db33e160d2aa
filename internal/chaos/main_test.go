package chaos_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/ackbus/ackbus/internal/chaos"
	"github.com/ackbus/ackbus/internal/leak"
)

// TestMain plays a role where the test binary was started for one.
func TestMain(m *testing.M) {
	if os.Getenv(chaos.RoleEnv) == "" {
		leak.Main(m)
	}
	if err := chaos.Play(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
