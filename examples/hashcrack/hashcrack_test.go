package main

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/minired"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/worker"
)

func hashOf(word string) string {
	sum := sha1.Sum([]byte(word))
	return hex.EncodeToString(sum[:])
}

// info looks at the queue, as one more party.
func info(t *testing.T, p *party) worker.QueueInfo {
	t.Helper()
	i, err := p.queue.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func watch(t *testing.T, redis string) *party {
	t.Helper()
	p, err := attach(t.Context(), redis, "watcher", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	return p
}

var triedLine = regexp.MustCompile(`tried (\d+) of (\d+) words`)

// found checks what the sink said in the end, and that it had everybody stopped. It returns how many words were tried.
func found(t *testing.T, sink *process, word string, workers ...*process) (tried, total int) {
	t.Helper()
	if code, want := sink.wait(), fmt.Sprintf("%s is %q\n", hashOf(word), word); code != 0 || sink.out.String() != want {
		t.Fatalf("exit code %d, printed %q, want %q", code, sink.out.String(), want)
	}
	for _, w := range workers {
		if code := w.wait(); code != 0 {
			t.Errorf("a worker ended with %d: %s", code, w.err.String())
		}
	}
	m := triedLine.FindStringSubmatch(sink.err.String())
	if m == nil {
		t.Fatalf("said %s", sink.err.String())
	}
	tried, _ = strconv.Atoi(m[1])
	total, _ = strconv.Atoi(m[2])
	return tried, total
}

// Over Redis: batches wait for the first worker, one worker is killed in the middle, another joins late, and the word, which is the last
// of all, is found.
func TestOverRedis(t *testing.T) {
	redis := redistest.Start(t).URL()
	watcher := watch(t, redis)
	sink := start(t, "crack", "-redis", redis, "-hash", hashOf("zzzzz"), "-batch", "200000", "-ahead", "200")
	eventually(t, "batches wait", func() bool { return info(t, watcher).Waiting > 10 })
	killed := start(t, "work", "-redis", redis, "-name", "killed")
	eventually(t, "the first worker is in the middle", func() bool {
		i := info(t, watcher)
		return i.Done >= 3 && i.Running > 0
	})
	killed.kill()
	if i := info(t, watcher); i.Running == 0 || i.Waiting == 0 {
		t.Fatalf("killed too late: %+v", i)
	}
	late := start(t, "work", "-redis", redis, "-name", "late")
	other := start(t, "work", "-redis", redis, "-name", "other")
	found(t, sink, "zzzzz", late, other)
	checkNothingLeft(t, redis, watcher)
	for _, name := range []string{"killed", "late"} {
		if !strings.Contains(sink.err.String(), name+" hashed") {
			t.Errorf("%s hashed nothing: %s", name, sink.err.String())
		}
	}
}

// checkNothingLeft has one more worker look: what was withdrawn while it waited counts until its turn comes, and is not hashed then.
func checkNothingLeft(t *testing.T, redis string, watcher *party) {
	t.Helper()
	before := info(t, watcher)
	last := start(t, "work", "-redis", redis, "-name", "last")
	eventually(t, "nothing is left", func() bool {
		i := info(t, watcher)
		return i.Workers > 0 && i.Waiting+i.Running+i.Delayed == 0
	})
	last.kill()
	if i := info(t, watcher); i.Done != before.Done || i.Dead != 0 {
		t.Errorf("left behind: %+v, after %+v", i, before)
	}
}

// With no broker of its own: the workers, of which one is there before anybody, connect to the ventilator. What is under way when the
// word is found is stopped.
func TestWithoutBroker(t *testing.T) {
	sink := start(t, "crack", "-listen", "127.0.0.1:0", "-hash", hashOf("mmmmm"), "-batch", "50000")
	url := sink.told("workers connect with: hashcrack work -redis ")
	watcher := watch(t, url)
	eventually(t, "batches wait", func() bool { return info(t, watcher).Waiting > 10 })
	workers := []*process{start(t, "work", "-redis", url), start(t, "work", "-redis", url)}
	watcher.close() // it is no worker, and would be waited for
	tried, total := found(t, sink, "mmmmm", workers...)
	if tried >= total {
		t.Errorf("%d of %d words were tried: nobody was stopped", tried, total)
	}
	if said := sink.err.String(); !strings.Contains(said, "stopped 2 workers") {
		t.Errorf("said %s", said)
	}
}

// A worker may come before the ventilator's broker.
func TestWorkerFirst(t *testing.T) {
	free, err := minired.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(free.URL(), "redis://")
	free.Close()
	early := start(t, "work", "-redis", "redis://"+address)
	early.told("waiting for")
	sink := start(t, "crack", "-listen", address, "-hash", hashOf("go"), "-length", "2")
	found(t, sink, "go", early)
}

func TestNotFound(t *testing.T) {
	sink := start(t, "crack", "-listen", "127.0.0.1:0", "-hash", hashOf("not to be found"), "-alphabet", "ab", "-length", "3",
		"-batch", "5")
	w := start(t, "work", "-redis", sink.told("workers connect with: hashcrack work -redis "))
	if code := sink.wait(); code != 1 || sink.out.String() != "" || !strings.Contains(sink.err.String(), "none of the 14 words") {
		t.Errorf("exit code %d, printed %q, said %s", code, sink.out.String(), sink.err.String())
	}
	if code := w.wait(); code != 0 {
		t.Errorf("the worker ended with %d", code)
	}
}
