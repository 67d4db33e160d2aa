package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// A cluster is two nodes on a redis-server of their own.
type cluster struct {
	redis    *redistest.Server
	gw1, gw2 *node
	settled  time.Time // when both nodes had been up
}

// newCluster returns once both nodes know each other. Leaks of the test are looked for after its end.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	leak.Check(t)
	redis := redistest.Start(t)
	c := &cluster{redis: redis}
	group := run.New(t.Context())
	group.Go(func() { c.gw1 = serve(t, redis, "gw-1") })
	c.gw2 = serve(t, redis, "gw-2")
	group.Stop()
	group.Wait()
	for _, n := range []*node{c.gw1, c.gw2} {
		if n == nil {
			t.Fatal("a node did not start")
		}
		eventually(t, n.name+" knows both nodes", func() bool {
			return n.ready() && n.metric(t, "ackbus_nodes") == 2
		})
	}
	c.settled = time.Now()
	return c
}

// A node is a process of serve.
type node struct {
	name           string
	cmd            *exec.Cmd
	log            *logged
	done           chan struct{} // closed when it has ended
	http, ws, tcp  string
	caller, asking *http.Client // for requests, and for what the test wants to know
}

// serve starts a node and returns once it listens. It may run in a goroutine of its own.
func serve(t *testing.T, redis *redistest.Server, name string) *node {
	n := &node{name: name, log: newLogged(), done: make(chan struct{})}
	n.cmd = exec.Command(ackbus, "serve", "--redis", redis.URL(), "--name", name, "--listen", "127.0.0.1:0", "--tcp", "127.0.0.1:0")
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "ACKBUS_") {
			n.cmd.Env = append(n.cmd.Env, one)
		}
	}
	n.cmd.Env = append(n.cmd.Env, "ACKBUS_LOG_FORMAT=json")
	n.cmd.Stderr = n.log
	if err := n.cmd.Start(); err != nil {
		t.Error(err)
		return nil
	}
	life := run.New(context.Background()) // ends with the process, which the cleanup kills
	life.Go(func() {
		defer close(n.done)
		_ = n.cmd.Wait() // how it ended is the business of the tests
	})
	n.caller = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}}
	n.asking = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	t.Cleanup(func() {
		n.kill()
		n.caller.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the log of %s:\n%s", name, n.log)
		}
		if text := n.log.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
			t.Errorf("%s broke:\n%s", name, text)
		}
	})
	if !n.listens() {
		t.Errorf("%s does not listen", name)
		return nil
	}
	return n
}

// listens waits for the line of the log that says where.
func (n *node) listens() bool {
	end := time.After(patience)
	for {
		text, changed := n.log.now()
		for line := range strings.Lines(text) {
			var said struct{ Msg, HTTP, Websocket, TCP string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "ready" {
				n.http, n.ws, n.tcp = said.HTTP, said.Websocket, strings.TrimPrefix(said.TCP, "tcp://")
				return true
			}
		}
		select {
		case <-changed:
		case <-n.done:
			return false
		case <-end:
			return false
		}
	}
}

// kill ends the process, as a power cut would, and returns once it is gone.
func (n *node) kill() {
	_ = n.cmd.Process.Kill() // it may have ended
	<-n.done
}

// pause stops the process; resume lets it go on.
func (n *node) pause(t *testing.T)  { n.signal(t, syscall.SIGSTOP) }
func (n *node) resume(t *testing.T) { n.signal(t, syscall.SIGCONT) }

func (n *node) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := n.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (n *node) ready() bool {
	res, err := n.asking.Get(n.http + "/readyz")
	return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

// metric is the sum over all labels of a metric.
func (n *node) metric(t *testing.T, name string) float64 {
	t.Helper()
	res, err := n.asking.Get(n.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	var sum float64
	found := false
	for line := range strings.Lines(text.String()) {
		words := strings.Fields(line)
		if len(words) != 2 || words[0] != name && !strings.HasPrefix(words[0], name+"{") {
			continue
		}
		value, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		t.Fatalf("%s has no metric %s", n.name, name)
	}
	return sum
}

// A logged is what a process has written.
type logged struct {
	mu      sync.Mutex // guards all below
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

func newLogged() *logged { return &logged{changed: make(chan struct{})} }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.changed)
	l.changed = make(chan struct{})
	return l.text.Write(p)
}

func (l *logged) now() (text string, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String(), l.changed
}

func (l *logged) String() string {
	text, _ := l.now()
	return text
}
