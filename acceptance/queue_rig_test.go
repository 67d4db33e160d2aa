package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
	"github.com/ackbus/ackbus/internal/run"
)

// A shop is a node and a redis-server, for workers that come and go.
type shop struct {
	redis *redistest.Server
	node  *node
}

// newShop returns once the node is ready. Leaks of the test are looked for after its end.
func newShop(t *testing.T, redisArgs ...string) *shop {
	t.Helper()
	leak.Check(t)
	s := &shop{redis: redistest.Start(t, redisArgs...)}
	if s.node = serve(t, s.redis, "gw-1"); s.node == nil {
		t.Fatal("the node did not start")
	}
	eventually(t, "the node is ready", s.node.ready)
	return s
}

// A hand is a process of ackbus work.
type hand struct {
	cmd  *exec.Cmd
	log  *logged
	done chan struct{} // closed when it has ended
}

// hire starts a worker, without waiting until it works. The environment is that of the test, and more.
func (s *shop) hire(t *testing.T, queue, program string, env []string, args ...string) *hand {
	t.Helper()
	h := &hand{log: newLogged(), done: make(chan struct{})}
	h.cmd = exec.Command(ackbus, append([]string{"work", queue, "--exec", program}, args...)...)
	h.cmd.Env = append(s.environment(), env...)
	h.cmd.Stderr = h.log
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	life := run.New(t.Context()) // ends with the process, which the cleanup kills
	life.Go(func() {
		defer close(h.done)
		_ = h.cmd.Wait() // how it ended is the business of the tests
	})
	t.Cleanup(func() {
		h.kill()
		if text := h.log.String(); t.Failed() || strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
			t.Errorf("the log of a worker:\n%s", text)
		}
	})
	return h
}

// kill ends the process, as a power cut would, and returns once it is gone.
func (h *hand) kill() {
	_ = h.cmd.Process.Kill() // it may have ended
	<-h.done
}

// drain asks the process to end, and returns its exit code.
func (h *hand) drain(t *testing.T) int {
	t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return h.wait(t)
}

func (h *hand) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-h.done:
	case <-time.After(patience):
		t.Fatal("the worker did not end")
	}
	return h.cmd.ProcessState.ExitCode()
}

// says waits for text in the log.
func (h *hand) says(t *testing.T, text string) {
	t.Helper()
	eventually(t, "the worker says "+text, func() bool { return strings.Contains(h.log.String(), text) })
}

// environment is that of every command.
func (s *shop) environment() []string {
	var env []string
	for _, one := range os.Environ() {
		if !strings.HasPrefix(one, "ACKBUS_") {
			env = append(env, one)
		}
	}
	return append(env, "ACKBUS_LOG_FORMAT=json", "ACKBUS_REDIS="+s.redis.URL())
}

// A printed is what a command left behind.
type printed struct {
	code     int
	out, err string
}

// ackbus runs a command to its end.
func (s *shop) ackbus(t *testing.T, args ...string) printed {
	t.Helper()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), ackbus, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = s.environment(), &out, &errOut
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return printed{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// A reply is what a node said about a job or a queue.
type reply struct {
	status int
	text   string
	took   time.Duration
	failed error // there was no answer

	ID, Worker, State               string
	Result                          any
	Error                           problem
	Attempt, Count, Total           int
	Waiting, Running, Delayed, Dead int
	Done, Died                      int
	Jobs                            []deadJob
}

type deadJob struct {
	ID       string
	Data     any
	Attempts []struct{ Worker, Started, Error string }
}

// call makes a call below /v1/queues. It may run in any goroutine.
func (s *shop) call(method, path string, body any) *reply {
	p, err := json.Marshal(body)
	if err != nil {
		return &reply{failed: err}
	}
	req, err := http.NewRequest(method, s.node.http+"/v1/queues/"+path, bytes.NewReader(p))
	if err != nil {
		return &reply{failed: err}
	}
	began := time.Now()
	res, err := s.node.caller.Do(req)
	if err != nil {
		return &reply{failed: err}
	}
	defer res.Body.Close()
	p, err = io.ReadAll(res.Body)
	r := &reply{status: res.StatusCode, took: time.Since(began), text: strings.TrimSpace(string(p)), failed: err}
	if err == nil {
		r.failed = json.Unmarshal(p, r)
	}
	return r
}

// want fails the test unless the reply has the status, and the error's code, if any.
func (r *reply) want(t *testing.T, status int, code string) *reply {
	t.Helper()
	if r.failed != nil || r.status != status || r.Error.Code != code {
		t.Fatalf("%v, want %d %s", r, status, code)
	}
	return r
}

func (r *reply) String() string {
	if r.failed != nil {
		return r.failed.Error()
	}
	return fmt.Sprintf("%d after %v: %s", r.status, r.took.Round(time.Millisecond), r.text)
}

// queue looks at a queue.
func (s *shop) queue(t *testing.T, name string) *reply {
	t.Helper()
	return s.call(http.MethodGet, name, nil).want(t, http.StatusOK, "")
}
