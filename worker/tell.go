package worker

import (
	"context"
	"log/slog"
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

	maxTelling  = 1024             // notices under way; more are sent by those who have them, one after another
	tellWithin  = 10 * time.Second // then those who wait find it in Redis
	maxTold     = 512 << 10        // a larger result is fetched from Redis by those who wait
	lookEvery   = time.Second
	lookBatch   = 256
	callGrace   = 2 // looks; a job that was awaited from the start leaves its result in Redis for 10 s
	joinedGrace = 5 // looks; of one that was joined while it ended, only its worker knows the result
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

// send requests in the background where there is a place.
func (j *Jobs) send(node uuid.UUID, queue, event string, body bus.Body) {
	request := func() {
		ctx, cancel := context.WithTimeout(j.group.Context(), tellWithin)
		defer cancel()
		_, err := j.bus.Request(ctx, bus.MethodAt(resultMethod, node), event, body, bus.WithHeader(queueHeader, queue), bus.TrustCount())
		if err != nil {
			j.log.Debug("nobody there to be told of a job", slog.String("queue", queue), slog.Any("error", err))
		}
	}
	select {
	case j.telling <- struct{}{}:
	default:
		request()
		return
	}
	if !j.group.Go(func() {
		defer func() { <-j.telling }()
		request()
	}) {
		<-j.telling
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
				j.look(q, waiters[:n])
				waiters = waiters[n:]
			}
		}
	}
}

// look looks once.
func (j *Jobs) look(q *Queue, waiters []*waiter) {
	args := []any{""}
	for _, w := range waiters {
		args = append(args, string(w.id))
	}
	states, err := q.list(j.group.Context(), 2*len(waiters), scriptLook, args...)
	if err != nil {
		return // tried again in a second
	}
	for i, w := range waiters {
		j.looked(w, asNumber(states[2*i]), asText(states[2*i+1]))
	}
}

// How a job stands, as the script says it.
const (
	stateNone = iota
	stateUnderWay
	stateOver
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
