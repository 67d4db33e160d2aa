// Package skew builds programs whose wall clock can be set while they run, each its own. Nothing else sets the clock of one process of a
// machine alone. The monotonic clock is not touched, as it is not where somebody sets a machine's time.
package skew

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Env names, in the environment of a program that was built so, the file that says how far its clock is off.
const Env = "ACKBUS_CHAOS_CLOCK"

const (
	now     = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	shifted = now + "\tif skew != nil {\n\t\tsec += *skew\n\t}\n"
	// mapped reads the seconds out of a page that it shares with whoever sets them.
	mapped = `package time

import (
	"syscall"
	"unsafe"
)

var skew = func() *int64 {
	name, _ := syscall.Getenv("` + Env + `")
	fd, err := syscall.Open(name, syscall.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}()
`
)

// Overlay writes, into a directory, what go build takes as -overlay for such a program, and returns its path. Its error says that the Go
// at hand is none that this knows.
func Overlay(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("skew: %w", err)
	}
	original := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(original)
	if err != nil {
		return "", fmt.Errorf("skew: %w", err)
	}
	changed := strings.Replace(string(text), now, shifted, 1)
	if changed == string(text) {
		return "", fmt.Errorf("skew: time.Now of this Go looks otherwise than:\n%s", now)
	}
	clock, page := filepath.Join(dir, "time.go.txt"), filepath.Join(dir, "skew.go.txt")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
		original: clock, filepath.Join(filepath.Dir(original), "skew.go"): page,
	}})
	path := filepath.Join(dir, "overlay.json")
	for file, content := range map[string]string{clock: changed, page: mapped, path: string(overlay)} {
		err = errors.Join(err, os.WriteFile(file, []byte(content), 0o600))
	}
	return path, err
}

// Set sets how far the clocks are off of the programs that were told of the file, to the second. It makes the file: before they start.
func Set(path string, off time.Duration) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("skew: %w", err)
	}
	seconds := binary.NativeEndian.AppendUint64(nil, uint64(off/time.Second))
	_, err = file.WriteAt(seconds, 0)
	return errors.Join(err, file.Close())
}
