//go:build unix

package program

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		pause := time.NewTimer(2 * time.Millisecond)
		<-pause.C
	}
}

// pids reads the process IDs that a program wrote, one a line.
func pids(t *testing.T, file string) (all []int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		pid, err := strconv.Atoi(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pid)
	}
	return all
}

// lives reports whether there is such a process; a zombie of somebody else's does not count.
func lives(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) && !errors.Is(err, os.ErrNotExist)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// cancelled runs a program that writes as many process IDs, and cancels it once they are there.
func cancelled(t *testing.T, count int, command string) (took time.Duration, started []int) {
	t.Helper()
	leak.Check(t)
	file := filepath.Join(t.TempDir(), "pids")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, Job{Command: command, Variables: map[string]string{"PIDS": file}})
		done <- err
	}()
	eventually(t, "all children run", func() bool { return len(pids(t, file)) == count })
	before := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
	return time.Since(before), pids(t, file)
}

// A program that forks children and ignores SIGTERM ends with all of them a second later.
func TestStubbornFamily(t *testing.T) {
	took, family := cancelled(t, 4, `trap '' TERM
		for i in 1 2; do
			sh -c 'echo $$ >>"$PIDS"; (sh -c "echo \$\$ >>\"\$PIDS\"; while :; do sleep 1; done")' &
		done
		wait; while :; do sleep 1; done`)
	for _, pid := range family {
		eventually(t, "its children are gone", func() bool { return !lives(pid) })
	}
	if took < grace || took > grace+5*time.Second {
		t.Errorf("it took %v", took)
	}
}

// A program that ends on SIGTERM is not waited for any longer, and its children may tidy up although their shell has gone first.
func TestObedientFamily(t *testing.T) {
	const tries = 3 // a busy machine may take all the grace for itself
	for i := range tries {
		file := filepath.Join(t.TempDir(), "tidied")
		t.Setenv("TIDIED", file)
		took, _ := cancelled(t, 1, `sh -c 'trap "sleep 0.1; echo yes >\"$TIDIED\"; exit" TERM
			echo $$ >>"$PIDS"; while :; do sleep 0.02; done'; :`)
		text, err := os.ReadFile(file)
		switch {
		case took >= grace && i < tries-1:
		case took >= grace:
			t.Errorf("it took %v, and before no less than %v", took, grace)
		case err != nil || string(text) != "yes\n":
			t.Fatalf("the child could not tidy up: %q, %v", text, err)
		default:
			return
		}
	}
}

// What a program leaves in the background ends with it, and holds nothing up. On a busy machine something else may.
func TestLeftBehind(t *testing.T) {
	leak.Check(t)
	const tries = 3
	for i := range tries {
		took := leftBehind(t)
		if took <= lastWords {
			return
		}
		if i == tries-1 {
			t.Errorf("it took %v, and before no less than %v", took, lastWords)
		}
	}
}

func leftBehind(t *testing.T) (took time.Duration) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pids")
	before := time.Now()
	got, err := Run(t.Context(), Job{Command: `sleep 300 & echo $! >"$PIDS"; echo done`, Variables: map[string]string{"PIDS": file}})
	took = time.Since(before)
	if err != nil || asJSON(t, got) != `"done"` {
		t.Fatalf("%s, %v", asJSON(t, got), err)
	}
	for _, pid := range pids(t, file) {
		eventually(t, "it is gone", func() bool { return !lives(pid) })
	}
	return took
}

// A process that has left the group keeps the pipes open: the run ends all the same, with what had been written.
func TestOutsider(t *testing.T) {
	leak.Check(t)
	file := filepath.Join(t.TempDir(), "pids")
	got, err := Run(t.Context(), Job{
		Command:   `setsid sh -c 'echo $$ >"$PIDS"; exec sleep 300' & while ! [ -s "$PIDS" ]; do sleep 0.01; done; echo done`,
		Variables: map[string]string{"PIDS": file},
	})
	if err != nil || asJSON(t, got) != `"done"` {
		t.Errorf("%s, %v", asJSON(t, got), err)
	}
	for _, pid := range pids(t, file) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("it did not live: %v", err)
		}
	}
}

func TestNothingIsLeft(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = Run(t.Context(), Job{Command: "true"}) // the first may open what the runtime keeps
	before := descriptors(t)
	for range 20 {
		for _, command := range []string{"true", "exit 1", "yes", "kill -9 $$"} {
			_, _ = Run(t.Context(), Job{Command: command, MaxOutput: 10}) // the errors are tested elsewhere
		}
		_, _ = Run(ctx, Job{Command: "true"})
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Errorf("a child was not waited for: %d, %v", pid, err)
	}
}
