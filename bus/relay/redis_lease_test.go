//go:build unix

package relay_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// What arrives after the lease has run out is discarded, however fresh it looks.
func TestLeaseRunsOut(t *testing.T) {
	server := redistest.Start(t)
	sent, got := newJournal(), newJournal()
	publisher := startRedis(t, server.URL(), nil, sent)
	receiver, err := relay.OpenRedis(t.Context(), server.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = receiver.Close() })
	jump := receiver.Skip()
	if err := receiver.Start(t.Context(), relay.Self{ID: "receiver"}, got); err != nil {
		t.Fatal(err)
	}
	subscribe(t, receiver, "a")
	for i := range 5 {
		jump(int64(10 * time.Second))
		for j := range 50 {
			p := relay.Packet{Channel: "a", Payload: fmt.Appendf(nil, "stale %d %d\n", i, j)}
			if err := publisher.Publish(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		got.mended(t, 4*(i+1))
		fresh := fmt.Sprint("fresh ", i)
		if err := publisher.Publish(t.Context(), relay.Packet{Channel: "a", Payload: []byte(fresh)}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the lane delivers again", func() bool { return got.has(fresh) })
	}
	got.orderly(t)
	falls := 0
	for _, happened := range got.order {
		switch h := happened.(type) {
		case relay.LaneEvent:
			if h.Lane == receiver.LaneOf("a") && !h.Up {
				falls++
			}
		case relay.Message:
			var jump, number int
			if n, _ := fmt.Sscanf(string(h.Payload), "stale %d %d", &jump, &number); n == 2 && falls <= jump {
				t.Errorf("delivered when the lease had run out: %q", h.Payload)
			}
		}
	}
}

const (
	stoppedChild = "RELAY_TEST_STOPPED_CHILD"
	stoppedFor   = 3500 * time.Millisecond
)

// A process that was stopped delivers nothing that was published meanwhile.
func TestStoppedProcess(t *testing.T) {
	if url := os.Getenv(stoppedChild); url != "" {
		runStoppedChild(t, url)
		return
	}
	server := redistest.Start(t)
	sent := newJournal()
	publisher := startRedis(t, server.URL(), nil, sent)
	child := exec.Command(os.Args[0], "-test.run=^TestStoppedProcess$")
	child.Env = append(os.Environ(), stoppedChild+"="+server.URL())
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	await := func(want string) (seen []string) {
		for lines.Scan() {
			seen = append(seen, lines.Text())
			if lines.Text() == want {
				return seen
			}
		}
		t.Fatalf("the child ended before it said %q: %q", want, seen)
		return nil
	}
	hangs := time.AfterFunc(time.Minute, func() { _ = child.Process.Kill() }) // and whoever waits for a word of it goes on
	defer hangs.Stop()
	await("ready")
	stop(t, child.Process)
	publishStale(t, publisher, sent)
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, line := range await("mended") {
		if strings.HasPrefix(line, "got stale") {
			t.Errorf("delivered after it was stopped: %s", line)
		}
	}
	if err := publisher.Publish(t.Context(), relay.Packet{Channel: "a", Payload: []byte("fresh")}); err != nil {
		t.Fatal(err)
	}
	await("got fresh")
	_ = in.Close() // the child ends
	if err := child.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
}

// stop returns once the process stands still: the signal alone leaves it running for a moment.
func stop(t *testing.T, p *os.Process) {
	t.Helper()
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || !status.Stopped() {
			t.Fatalf("the child did not stop: %v", err)
		}
		return
	}
}

// publishStale publishes during the whole stop. The first messages reach the socket of the stopped process.
func publishStale(t *testing.T, publisher *relay.Redis, sent *journal) {
	t.Helper()
	token, counted := uint64(0), 0
	for end := time.Now().Add(stoppedFor); time.Now().Before(end); {
		token++
		p := relay.Packet{Channel: "a", Payload: fmt.Append(nil, "stale ", token), Token: token, Wait: true}
		if err := publisher.Publish(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		counted += sent.result(t, token).Count
	}
	if counted < 100 {
		t.Errorf("Redis appended only %d messages to the stopped process", counted)
	}
}

// runStoppedChild is the other process: it says what it gets until its standard input ends.
func runStoppedChild(t *testing.T, url string) {
	t.Helper()
	voice := &voice{down: make(map[int]bool), fell: make(map[int]bool)}
	r := startRedis(t, url, nil, voice)
	subscribe(t, r, "a")
	fmt.Println("ready")
	group := run.New(t.Context())
	group.Go(func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		group.Stop()
	})
	group.Wait()
}

// A voice is a receiver that prints.
type voice struct {
	journal
	down map[int]bool
	fell map[int]bool // at least once
}

func (v *voice) Receive(m relay.Message) { fmt.Printf("got %s\n", m.Payload) }

func (v *voice) Lane(e relay.LaneEvent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Println("lane", e.Lane, e.Up)
	if !e.Up {
		v.fell[e.Lane] = true
	}
	v.down[e.Lane] = !e.Up
	for _, down := range v.down {
		if down {
			return
		}
	}
	if len(v.fell) == 4 {
		fmt.Println("mended")
	}
}
