package worker

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/bus"
)

const (
	resultMethod  = "ackbus.result" // where a node hears of jobs that it awaits, and of jobs that it should stop
	eventOver     = "over"
	eventProgress = "progress"
	eventStop     = "stop"
	queueHeader   = "queue"

	maxTold   = 512 << 10 // a larger result is fetched from Redis by those who wait
	lookEvery = time.Second
	lookBatch = 256
	lookGrace = 2 // looks in a row that find nothing mean that the job is gone: one that is awaited leaves its result for 10 s
)

// tell sends a notice to the nodes that await a job. It does not wait for them, unless many are told at once.
func (j *Jobs) tell(queue, askers string, n *notice) {
	if askers == "" {
		return
	}
	body := bus.Bytes(n.encode())
	for asker := range strings.FieldsSeq(askers) {
		node, err := uuid.Parse(asker)
		if err != nil {
			continue
		}
		if node == j.self.ID {
			j.heard(queue, *n)
			continue
		}
		if len(body.Raw()) > maxTold {
			small := *n
			small.body = bus.Body{}
			small.code = codeFetch
			body = bus.Bytes(small.encode())
		}
		j.send(node, queue, eventOver, body)
	}
}

// tellProgress sends a report of progress to the nodes that await a job; one that is lost is superseded by the next.
func (j *Jobs) tellProgress(queue, askers string, n *notice) {
	body := bus.Bytes(n.encode())
	for asker := range strings.FieldsSeq(askers) {
		node, err := uuid.Parse(asker)
		if err != nil {
			continue
		}
		if node != j.self.ID {
			j.send(node, queue, eventProgress, body)
			continue
		}
		for _, w := range j.awaited.those(queue, n.id) {
			w.report(n.body)
		}
	}
}

// endpoint is where this node is told. It never blocks.
type endpoint struct{ jobs *Jobs }

// Forget implements bus.Endpoint.
func (endpoint) Forget(uuid.UUID) {}

// Deliver implements bus.Endpoint.
func (e endpoint) Deliver(m *bus.Message, t bus.Ticket) {
	n, err := decodeNotice(m.Body.Raw())
	if err != nil {
		t.Reject("bad_request", err.Error())
		return
	}
	queue := m.Headers[queueHeader]
	switch m.Event {
	case eventOver:
		e.jobs.heard(queue, n)
	case eventProgress:
		for _, w := range e.jobs.awaited.those(queue, n.id) {
			w.report(n.body)
		}
	case eventStop:
		e.jobs.stop(queue, n.id)
	default:
		t.Reject("bad_request", "unknown event")
		return
	}
	t.Confirm(bus.Body{})
}

// heard ends the waiting for a job, or has it looked for in Redis at once.
func (j *Jobs) heard(queue string, n notice) {
	for _, w := range j.awaited.those(queue, n.id) {
		if n.code == codeFetch {
			j.awaited.soon(w)
			continue
		}
		w.settle(&n, nil)
	}
}

// watchAwaited looks for jobs in Redis whose end should have been told: a worker may die between the end and the telling.
func (j *Jobs) watchAwaited() {
	ticker := time.NewTicker(lookEvery / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-j.group.Context().Done():
			return
		}
		for q, waiters := range j.awaited.unheard(time.Now()) {
			for len(waiters) > 0 {
				n := min(len(waiters), lookBatch)
				waiters = append(j.look(q, waiters[:n]), waiters[n:]...)
			}
		}
	}
}

// look looks once. It returns those whose results there was no room for.
func (j *Jobs) look(q *Queue, waiters []*waiter) (later []*waiter) {
	args := []any{""}
	for _, w := range waiters {
		args = append(args, string(w.id))
	}
	states, err := q.list(j.group.Context(), 2*len(waiters), scriptLook, args...)
	if err != nil {
		return nil // tried again in a second
	}
	for i, w := range waiters {
		if asNumber(states[2*i]) == stateLater {
			later = append(later, w)
			continue
		}
		j.looked(w, asNumber(states[2*i]), asText(states[2*i+1]))
	}
	return later
}

// How a job stands, as the script says it.
const (
	stateNone = iota
	stateUnderWay
	stateOver
	stateLater // over, and to be asked for again
)

// looked notes what a look found.
func (j *Jobs) looked(w *waiter, state int64, text string) {
	if j.awaited.found(w, state != stateNone) {
		w.settle(&notice{id: w.id, code: codeGone}, nil)
	}
	if state != stateOver {
		return
	}
	n, err := decodeNotice([]byte(text))
	if err != nil {
		w.settle(nil, err)
		return
	}
	w.settle(&n, nil)
}
