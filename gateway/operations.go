package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/plain"
)

// reservedTopics begins the topics that belong to the bus's own parts. Clients can't send there.
const reservedTopics = "ackbus."

// operations is what a client asked for and was not answered yet.
type operations struct {
	count   int
	bytes   int
	ordered []frame // joins, leaves and plain sends: one after another
	running bool    // a goroutine works through ordered

	present context.Context // ends when the client has gone; nil: it has not called yet
	gone    context.CancelCauseFunc
}

// inOrder performs the frame after those before it.
func (s *session) inOrder(f frame) {
	s.mu.Lock()
	begun := s.beginLocked(&f)
	if begun {
		s.ops.ordered = append(s.ops.ordered, f)
		if !s.ops.running {
			s.ops.running = s.gw.group.Go(s.performOrdered)
		}
	}
	s.mu.Unlock()
	if !begun {
		s.overloaded(&f)
	}
}

// atOnce performs the frame beside whatever else is under way.
func (s *session) atOnce(f frame) {
	s.mu.Lock()
	begun := s.beginLocked(&f)
	s.mu.Unlock()
	if !begun {
		s.overloaded(&f)
		return
	}
	s.gw.group.Go(func() {
		s.perform(&f)
		s.end(&f)
	})
}

func (s *session) overloaded(f *frame) {
	s.refuse(f, codeOverloaded, "too much is under way: wait for answers before sending more")
}

// beginLocked counts an operation in, if there is room for it. Large ones are bounded by the size of the send queue.
func (s *session) beginLocked(f *frame) bool {
	cost := f.cost()
	if s.ops.count >= s.gw.opts.MaxOperations || s.ops.count > 0 && s.ops.bytes+cost > s.gw.opts.QueueBytes || s.gw.budget.over() {
		return false
	}
	s.ops.count++
	s.ops.bytes += cost
	s.gw.budget.take(cost)
	return true
}

func (s *session) end(f *frame) {
	s.mu.Lock()
	s.ops.count--
	s.ops.bytes -= f.cost()
	s.mu.Unlock()
	s.gw.budget.give(f.cost())
	s.leaveIfIdle()
}

// performOrdered lives while there is something to do in order.
func (s *session) performOrdered() {
	for {
		s.mu.Lock()
		if len(s.ops.ordered) == 0 {
			s.ops.ordered, s.ops.running = nil, false
			s.mu.Unlock()
			return
		}
		f := s.ops.ordered[0]
		s.ops.ordered = s.ops.ordered[1:]
		s.mu.Unlock()
		s.perform(&f)
		s.end(&f)
	}
}

func (s *session) perform(f *frame) {
	life := s.gw.group.Context()
	if f.Type == "call" { // a client that has gone can't read the result; what it sent is to arrive all the same
		life = s.present()
	}
	ctx, cancel := context.WithTimeout(life, f.wait())
	defer cancel()
	var answer []byte
	var err error
	switch f.Type {
	case "join":
		answer, err = s.join(ctx, f)
	case "leave":
		answer = s.leave(f)
	case "send":
		answer, err = s.send(ctx, f)
	case "call":
		answer, err = s.call(ctx, f)
	}
	if err != nil {
		code, text := clientError(err)
		if code == codeInternal {
			s.gw.opts.Logger.Warn("a client's frame failed", "type", f.Type, "socket", s.socket, "error", err)
		}
		s.refuse(f, code, text)
		return
	}
	s.say(answer)
}

func (s *session) join(ctx context.Context, f *frame) ([]byte, error) {
	s.mu.Lock()
	member, groups := slices.Contains(s.groups, f.Group), len(s.groups)
	s.mu.Unlock()
	if member {
		return sealAnswer(s.format, "ok", f.Ref), nil
	}
	if groups >= s.gw.opts.MaxGroups {
		return nil, bus.Reject(codeForbidden, fmt.Sprintf("group: a socket can be in %d groups at most", s.gw.opts.MaxGroups))
	}
	if err := s.permitted(ctx, ActionJoin, f.Group, ""); err != nil {
		return nil, err
	}
	if err := s.line.Join(ctx, f.address); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.groups = append(s.groups, f.Group)
	s.mu.Unlock()
	return sealAnswer(s.format, "ok", f.Ref), nil
}

func (s *session) leave(f *frame) []byte {
	s.mu.Lock()
	i := slices.Index(s.groups, f.Group)
	if i >= 0 {
		s.groups = slices.Delete(s.groups, i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 {
		s.line.Leave(f.address)
	}
	return sealAnswer(s.format, "ok", f.Ref)
}

func (s *session) send(ctx context.Context, f *frame) ([]byte, error) {
	if f.address.Kind() == "method" {
		return nil, bus.Reject(codeForbidden, "to: a method is called, not sent to: see the call frame")
	}
	if f.address.Kind() == "topic" && strings.HasPrefix(f.address.Name(), reservedTopics) {
		return nil, bus.Reject(codeForbidden, "topics that begin with "+reservedTopics+" are reserved")
	}
	if err := s.permitted(ctx, ActionSend, f.To, f.Event); err != nil {
		return nil, err
	}
	if !f.Receipt {
		_, err := s.gw.backbone.Publish(ctx, f.address, f.Event, f.Body)
		return sealAnswer(s.format, "ok", f.Ref), err
	}
	receipt, err := s.gw.backbone.Request(ctx, f.address, f.Event, f.Body)
	if receipt == nil {
		return nil, err
	}
	return sealReceipt(s.format, f.Ref, receipt)
}

// permitted is allowed, with an error that is ready for the client.
func (s *session) permitted(ctx context.Context, kind, target, event string) error {
	err := s.allowed(ctx, kind, target, event)
	if err == nil {
		return nil
	}
	s.gw.opts.Logger.Debug("not allowed", "socket", s.socket, "action", kind, "target", target, "error", err)
	return bus.Reject(codeForbidden, publicText(err, "not allowed"))
}

// clientErrors is what the bus's own errors are to a client, in the order in which they are asked.
var clientErrors = []struct {
	err   error
	code  string
	field string // that the error is about, or empty
	text  string // in place of the error's own; empty: that one
}{
	{bus.ErrTooLarge, codeTooLarge, "data: ", ""},
	{bus.ErrOverloaded, codeOverloaded, "to: ", "too much is on its way to this address; try again later"},
	{bus.ErrBody, codeBadFrame, "data: ", ""},
	{bus.ErrAddress, codeBadFrame, "to: ", ""},
	{bus.ErrUnknown, codeInternal, "", "it may have been sent, and may not"},
	{bus.ErrUnavailable, codeInternal, "", "Redis can't be reached; try again later"},
	{bus.ErrBusClosed, codeInternal, "", "the node is going away: connect again"},
	{context.DeadlineExceeded, codeTimeout, "", "it took too long"},
}

// clientError is what a client reads of an error. Only the bus's own errors and rejections are quoted.
func clientError(err error) (code, text string) {
	if r, ok := errors.AsType[*bus.Rejection](err); ok {
		return r.Code, r.Message
	}
	for _, known := range clientErrors {
		if !errors.Is(err, known.err) {
			continue
		}
		if known.text != "" {
			return known.code, known.field + known.text
		}
		return known.code, known.field + plain.About(err, known.err)
	}
	return codeInternal, "failed"
}
