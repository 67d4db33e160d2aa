package skew_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/skew"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// teller says, for each line that it reads, what time it is by its wall clock, and whether more than a minute has passed since it began.
const teller = `package main

import (
	"bufio"
	"os"
	"time"
)

func main() {
	began := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		line := time.Now().UTC().Format(time.RFC3339)
		if time.Since(began) > time.Minute || time.Since(began) < 0 {
			line = "time has jumped"
		}
		os.Stdout.WriteString(line + "\n")
	}
}
`

// A clock jumps forward and back while its program runs, and the monotonic one does not.
func TestSet(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds much of the standard library")
	}
	dir := t.TempDir()
	overlay, err := skew.Overlay(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	source, program, clock := filepath.Join(dir, "main.go"), filepath.Join(dir, "teller"), filepath.Join(dir, "clock")
	if err := os.WriteFile(source, []byte(teller), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", program, source)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := skew.Set(clock, 0); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), skew.Env+"="+clock)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for _, off := range []time.Duration{0, 23 * time.Minute, -37 * time.Minute, 0} {
		if err := skew.Set(clock, off); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(in)
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		said, err := time.Parse(time.RFC3339, line[:len(line)-1])
		if err != nil {
			t.Fatal(err)
		}
		if is := time.Until(said) - off; is.Abs() > 20*time.Second {
			t.Errorf("the clock is %v off, and should be %v", is+off, off)
		}
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, lines); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
