package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/redistest"
)

// queueEnv has a command line in this process use the queues of the test.
func queueEnv(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"ACKBUS_REDIS": redistest.Shared(t).URL(), "ACKBUS_PREFIX": redistest.Prefix(t)}
}

// working starts a worker process that is at work.
func working(t *testing.T, queue, program string, args ...string) *process {
	t.Helper()
	p := start(t, append([]string{"work", queue, "--exec", program, "--redis", redistest.Shared(t).URL(), "--name", "w1"}, args...)...)
	p.logged("working")
	return p
}

// ok runs a command line that must end with 0 and returns what it printed.
func ok(t *testing.T, env map[string]string, args ...string) string {
	t.Helper()
	got := here(t, env, args...)
	if got.code != exitDone {
		t.Fatalf("%v: exit code %d: %s", args, got.code, got.err)
	}
	return got.out
}

func TestEnqueueAndWork(t *testing.T) {
	env := queueEnv(t)
	p := working(t, "shout", "tr a-z A-Z")
	if out := ok(t, env, "enqueue", "shout", `{"a":"b"}`, "--wait", "20s"); out != "{\"A\":\"B\"}\n" {
		t.Errorf("printed %q", out)
	}
	type result struct {
		ID, Worker, Result string
		Attempt            int
	}
	r := parse[result](t, ok(t, env, "enqueue", "shout", `"x"`, "--wait", "20s", "--json"))
	if r.ID == "" || r.Worker != "w1" || r.Result != "X" || r.Attempt != 1 {
		t.Errorf("%+v", r)
	}
	env["stdin"] = `"from standard input"`
	if out := ok(t, env, "enqueue", "shout", "-", "--wait", "20s"); out != "\"FROM STANDARD INPUT\"\n" {
		t.Errorf("printed %q", out)
	}
	type one struct {
		Name          string
		Done, Workers int
	}
	if q := parse[one](t, ok(t, env, "queues", "shout", "--json")); q.Name != "shout" || q.Done != 3 || q.Workers != 1 {
		t.Errorf("%+v", q)
	}
	if out := ok(t, env, "queues"); !strings.Contains(out, "shout") || !strings.Contains(out, "works") {
		t.Errorf("printed %s", out)
	}
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
}

// The program knows which job it does; another exit status than 0 has it tried again, and then it is dead.
func TestDeadLettersOfAProgram(t *testing.T) {
	env := queueEnv(t)
	working(t, "q", `echo "$ACKBUS_JOB_ID $ACKBUS_JOB_QUEUE $ACKBUS_JOB_ATTEMPT of $ACKBUS_JOB_MAX_ATTEMPTS $ACKBUS_JOB_PRIORITY"; exit 3`)
	got := here(t, env, "enqueue", "q", "1", "--id", "first", "--max-attempts", "2", "--wait", "20s", "--priority", "high")
	if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, "first q 2 of 2 high") || !strings.Contains(got.err, "dead") {
		t.Errorf("%d %q %s", got.code, got.out, got.err)
	}
	got = here(t, env, "enqueue", "q", "2", "--id", "second", "--max-attempts", "1", "--wait", "20s", "--json")
	type unfinished struct {
		ID    string
		Error struct{ Code, Message string }
	}
	u := parse[unfinished](t, got.out)
	if got.code != exitFailed || u.ID != "second" || u.Error.Code != "dead" || !strings.Contains(u.Error.Message, "w1") {
		t.Errorf("%d %s", got.code, got.out)
	}
	type page struct {
		Jobs []struct {
			ID       string
			Attempts []struct{ Worker, Error string }
		}
		Total int
	}
	p := parse[page](t, ok(t, env, "dead", "q", "--json"))
	if p.Total != 2 || p.Jobs[0].ID != "second" || len(p.Jobs[1].Attempts) != 2 || p.Jobs[1].Attempts[0].Worker != "w1" {
		t.Errorf("%+v", p)
	}
	for _, words := range [][]string{
		{"dead q", "2 of 2", "first", "second", "w1", "exit status 3"},
		{"dead q --limit 1 --offset 1", "first", "1 of 2"},
		{"dead q show first", "first", "data      1", "1 of 2 high", "2 of 2 high"},
		{"dead q retry first", "waits again"},
		{"dead q delete second", "is deleted"},
	} {
		out := ok(t, env, strings.Fields(words[0])...)
		for _, word := range words[1:] {
			if !strings.Contains(out, word) {
				t.Errorf("%s: %s does not say %q", words[0], out, word)
			}
		}
	}
	if got := here(t, env, "dead", "q", "show", "second"); got.code != exitFailed || !strings.Contains(got.err, "no such job") {
		t.Errorf("%d %s", got.code, got.err)
	}
	eventually(t, "the first is dead again", func() bool { return parse[page](t, ok(t, env, "dead", "q", "--json")).Total == 1 })
	if out := ok(t, env, "dead", "q", "delete", "--all"); out != "1 are deleted\n" {
		t.Errorf("printed %q", out)
	}
}

func TestEnqueueWithoutAWorker(t *testing.T) {
	env := queueEnv(t)
	id := strings.TrimSpace(ok(t, env, "enqueue", "q", "1", "--unique", "k"))
	got := here(t, env, "enqueue", "q", "2", "--unique", "k")
	if got.code != exitFailed || !strings.Contains(got.err, id) {
		t.Errorf("%d %s", got.code, got.err)
	}
	got = here(t, env, "enqueue", "q", "3", "--wait", "50ms")
	if got.code != exitFailed || got.out != "" || !strings.Contains(got.err, "goes on") {
		t.Errorf("%d %q %s", got.code, got.out, got.err)
	}
	if out := ok(t, env, "enqueue", "q", "4", "--delay", "1h", "--json", "--id", "later"); out != "{\"id\":\"later\"}\n" {
		t.Errorf("printed %q", out)
	}
	type one struct {
		Waiting, Delayed int
		Paused           bool
	}
	if q := parse[one](t, ok(t, env, "queues", "q", "pause", "--json")); q != (one{2, 1, true}) {
		t.Errorf("%+v", q)
	}
	if out := ok(t, env, "queues", "q", "resume"); !strings.Contains(out, "no worker") {
		t.Errorf("printed %s", out)
	}
}

// SIGTERM lets the job that runs finish, takes no further one, and ends with 0.
func TestWorkDrains(t *testing.T) {
	env := queueEnv(t)
	dir := t.TempDir()
	t.Setenv("DIR", dir)
	p := working(t, "q", `touch "$DIR/started"; while ! [ -e "$DIR/go" ]; do sleep 0.02; done; echo '"finished"'`, "--concurrency", "1")
	ok(t, env, "enqueue", "q", "1", "--id", "a", "--keep", "1h")
	ok(t, env, "enqueue", "q", "2", "--id", "b")
	eventually(t, "the program runs", func() bool {
		_, err := os.Stat(filepath.Join(dir, "started"))
		return err == nil
	})
	p.signal(syscall.SIGTERM)
	p.logged("draining")
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	type one struct{ Waiting, Running, Done int }
	if q := parse[one](t, ok(t, env, "queues", "q", "--json")); q != (one{1, 0, 1}) {
		t.Errorf("%+v", q)
	}
}

// What does not end within the drain is ended with all that it has started, and its job goes to other workers.
func TestWorkDrainsInVain(t *testing.T) {
	env := queueEnv(t)
	file := filepath.Join(t.TempDir(), "pids")
	t.Setenv("FILE", file)
	p := working(t, "q", `trap '' TERM; sleep 300 & echo $! > "$FILE.new"; mv "$FILE.new" "$FILE"; wait; sleep 300`, "--drain", "100ms")
	ok(t, env, "enqueue", "q", "1")
	var child string
	eventually(t, "the program runs", func() bool {
		text, err := os.ReadFile(file)
		child = strings.TrimSpace(string(text))
		return err == nil && child != ""
	})
	began := time.Now()
	p.signal(syscall.SIGTERM)
	if code := p.wait(); code != exitDone || time.Since(began) > patience/2 {
		t.Errorf("exit code %d after %v", code, time.Since(began))
	}
	eventually(t, "what the program had started is gone", func() bool {
		stat, err := os.ReadFile("/proc/" + child + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ") // a zombie waits for nobody but init
	})
	type one struct{ Waiting, Running int }
	if q := parse[one](t, ok(t, env, "queues", "q", "--json")); q != (one{1, 0}) {
		t.Errorf("%+v", q)
	}
}
