package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
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

// hire starts a worker, without waiting until it works.
func (s *shop) hire(t *testing.T, queue, program string, env []string, args ...string) *runner {
	t.Helper()
	return startRunner(t, "a worker", append(s.variables(), env...), append([]string{"work", queue, "--exec", program}, args...)...)
}

// variables are those of every command.
func (s *shop) variables() []string {
	return []string{"ACKBUS_LOG_FORMAT=json", "ACKBUS_REDIS=" + s.redis.URL()}
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
	cmd.Env, cmd.Stdout, cmd.Stderr = append(environment(), s.variables()...), &out, &errOut
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
