package gateway

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/ackbus/ackbus/bus"
)

// errGone is why the calls of a client end that has disconnected.
var errGone = errors.New("the client has disconnected")

// A CallError is what Options.Call has a client read of a call that failed, where there is more to say than a *bus.Rejection holds.
type CallError struct {
	Code    string
	Message string
	Details bus.Body // for programs; zero: none
}

// Error is the code and the message.
func (e *CallError) Error() string { return e.Code + ": " + e.Message }

// call answers with the result, or with how the call failed.
func (s *session) call(ctx context.Context, f *frame) ([]byte, error) {
	if s.gw.opts.Call == nil {
		return nil, bus.Reject(codeUnknownMethod, "no method is served through this gateway")
	}
	if err := s.permitted(ctx, ActionCall, f.Method, ""); err != nil {
		return nil, err
	}
	body, err := s.gw.opts.Call(ctx, s.who, f.Method, f.Body)
	if failed, ok := errors.AsType[*CallError](err); ok {
		return sealFailure(s.format, f.Ref, failed), nil
	}
	if err != nil {
		return nil, err
	}
	return sealReply(s.format, f.Ref, body, nil), nil
}

// present is a context that ends when the client has gone.
func (s *session) present() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ops.present == nil {
		s.ops.present, s.ops.gone = context.WithCancelCause(s.gw.group.Context()) //nolint:fatcontext // one a session, not a nest of them
	}
	if s.phase == closed {
		s.ops.gone(errGone)
	}
	return s.ops.present
}

// sealFailure answers a call that failed. Details that can't be translated are left out.
func sealFailure(format bus.Format, ref []byte, e *CallError) []byte {
	if !e.Details.IsZero() {
		if details, err := e.Details.AsJSON(); err == nil {
			if sealed := sealDetails(format, ref, e, details); sealed != nil {
				return sealed
			}
		}
	}
	return sealReply(format, ref, bus.Body{}, &bus.Rejection{Code: e.Code, Message: e.Message})
}

func sealDetails(format bus.Format, ref []byte, e *CallError, details json.RawMessage) []byte {
	value, err := bodyAs(bus.JSON(struct {
		bus.Rejection

		Details json.RawMessage `json:"details"`
	}{bus.Rejection{Code: e.Code, Message: e.Message}, details}), format)
	if err != nil {
		return nil
	}
	return sealReplyObject(format, ref, "error", value)
}
