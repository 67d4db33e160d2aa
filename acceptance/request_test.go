package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/run"
)

type object = map[string]any

// An answer is what a node said to a request by HTTP: a receipt, or an error.
type answer struct {
	status int
	took   time.Duration
	at     time.Time
	text   string
	failed error // there was no answer

	ID         string
	Outcome    string
	Nodes      int
	Expected   int
	Counts     map[string]int
	Elapsed    float64 `json:"elapsed_ms"`
	Deliveries []delivery
	Error      problem
}

type problem struct{ Code, Message string }

type delivery struct {
	Node, Socket, User, Carrier, Outcome string
	Reply                                any
	Error                                problem
	Written                              float64 `json:"written_ms"`
	Settled                              float64 `json:"settled_ms"`
}

func (a *answer) String() string {
	if a.failed != nil {
		return a.failed.Error()
	}
	return fmt.Sprintf("%d after %v: %s", a.status, a.took.Round(time.Millisecond), a.text)
}

// ask posts a request to an address, with whatever else its body is to have. It may run in any goroutine.
func (n *node) ask(to string, more object) *answer {
	body := object{"to": to, "event": "e"}
	maps.Copy(body, more)
	p, err := json.Marshal(body)
	if err != nil {
		return &answer{failed: err}
	}
	return n.post(n.caller, bytes.NewReader(p))
}

func (n *node) post(by *http.Client, body io.Reader) *answer {
	began := time.Now()
	res, err := by.Post(n.http+"/v1/request", "application/json", body)
	if err != nil {
		return &answer{failed: err}
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	a := &answer{status: res.StatusCode, took: time.Since(began), at: time.Now(), text: strings.TrimSpace(string(p)), failed: err}
	if err == nil {
		a.failed = json.Unmarshal(p, a)
	}
	return a
}

// want fails the test unless the answer has the status and the outcome, or the error's code.
func (a *answer) want(t *testing.T, status int, outcome string) {
	t.Helper()
	if a.failed != nil || a.status != status || a.Outcome != outcome && a.Error.Code != outcome {
		t.Fatalf("want %d %s, got %v", status, outcome, a)
	}
}

// wantOne is want for a request to one socket.
func (a *answer) wantOne(t *testing.T, status int, outcome string) delivery {
	t.Helper()
	a.want(t, status, outcome)
	if len(a.Deliveries) != 1 || a.Deliveries[0].Outcome != outcome {
		t.Fatalf("want one delivery, %s: got %v", outcome, a)
	}
	return a.Deliveries[0]
}

// users are those of the deliveries with the outcome.
func (a *answer) users(outcome string) map[string]delivery {
	of := make(map[string]delivery)
	for _, d := range a.Deliveries {
		if d.Outcome == outcome {
			of[d.User] = d
		}
	}
	return of
}

// An asked is a number of requests under way.
type asked struct{ answers chan *answer }

// asking runs requests beside the test; their answers are taken with next.
func asking(t *testing.T, n int, ask func(i int) *answer) *asked {
	a := &asked{answers: make(chan *answer, n)}
	group := run.New(t.Context())
	for i := range n {
		group.Go(func() { a.answers <- ask(i) })
	}
	group.Stop()
	t.Cleanup(group.Wait)
	return a
}

func (a *asked) next(t *testing.T) *answer {
	t.Helper()
	select {
	case one := <-a.answers:
		return one
	case <-time.After(patience):
		t.Fatal("a request had no answer")
		return nil
	}
}
