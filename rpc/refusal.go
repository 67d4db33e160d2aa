package rpc

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/ackbus/ackbus/bus"
)

// How an error travels: code and message as the bus's rejection, the rest as the rejection's body. A refusal without such a body
// was made before the handler ran.

// Bounds of the chain of causes.
const (
	maxCauses = 16
	maxCause  = 1024
)

// refusal is what a handler's error travels as, in the form that the caller speaks.
func refusal(err error, f bus.Format) (bus.Body, error) {
	code, message, _ := Explain(err)
	var details bus.Body
	if local, ok := errors.AsType[*Error](err); ok {
		details = detailsBody(local.Details, f)
	} else if remote, ok := errors.AsType[*RemoteError](err); ok {
		details = remote.Details
	}
	return encodeRefusal(details, causesOf(err), f), bus.Reject(string(code), message)
}

// detailsBody makes a body of details; none of those that can't be encoded.
func detailsBody(details any, f bus.Format) bus.Body {
	if details == nil {
		return bus.Body{}
	}
	if body := encode(details, f); body.Err() == nil {
		return body
	}
	return bus.Body{}
}

// causesOf lists the texts of what the error comes from, outermost first.
func causesOf(err error) []string {
	if e, ok := errors.AsType[*Error](err); ok {
		err = e
	}
	var causes []string
	if remote, nested := errors.AsType[*RemoteError](err); nested { // the answer to a call that the handler made
		return append(append(causes, cut(remote.Error(), maxCause)), remote.Causes[:min(len(remote.Causes), maxCauses-1)]...)
	}
	for err = errors.Unwrap(err); err != nil && len(causes) < maxCauses; err = errors.Unwrap(err) {
		causes = append(causes, cut(err.Error(), maxCause))
	}
	return causes
}

// encodeRefusal makes the body that goes along with a rejection.
func encodeRefusal(details bus.Body, causes []string, f bus.Format) bus.Body {
	parts := make(map[string]any, 2)
	if len(causes) > 0 {
		parts["causes"] = causes
	}
	if f == bus.FormatJSON {
		if p, err := details.AsJSON(); err == nil && !details.IsZero() {
			parts["details"] = p
		}
		return bus.JSON(parts)
	}
	if p, err := details.AsMsgpack(); err == nil && !details.IsZero() {
		parts["details"] = msgpack.RawMessage(p)
	}
	return bus.Msgpack(parts)
}

// decodeRefusal reads it. Of a body that is none, all is details.
func decodeRefusal(body bus.Body) (details bus.Body, causes []string) {
	var err error
	switch body.Format() {
	case bus.FormatJSON:
		var parts struct {
			Details json.RawMessage `json:"details"`
			Causes  []string        `json:"causes"`
		}
		err = body.Decode(&parts)
		details, causes = encoded(bus.FormatJSON, parts.Details), parts.Causes
	case bus.FormatMsgpack:
		var parts struct {
			Details msgpack.RawMessage `msgpack:"details"`
			Causes  []string           `msgpack:"causes"`
		}
		err = body.Decode(&parts)
		details, causes = encoded(bus.FormatMsgpack, parts.Details), parts.Causes
	default:
		return body, nil
	}
	if err != nil {
		return body, nil
	}
	return details, causes[:min(len(causes), maxCauses)]
}

// encoded is the body of the bytes, or none where there are none or they are broken.
func encoded(f bus.Format, p []byte) bus.Body {
	if len(p) == 0 {
		return bus.Body{}
	}
	body, err := bus.Encoded(f, p)
	if err != nil {
		return bus.Body{}
	}
	return body
}

// remoteError is what an instance's rejection says.
func remoteError(d *bus.Delivery) *RemoteError {
	e := &RemoteError{Code: CodeRejected, Node: d.Node, NodeID: d.NodeID}
	if d.Error != nil {
		e.Code, e.Message = Code(d.Error.Code), d.Error.Message
	}
	// A handler that has begun is said to have been written to, and its refusal has a body, unless that was too large to be sent.
	e.notRun = d.Written == 0 && d.Reply.IsZero() && (e.Code == CodeOverloaded || e.Code == CodeDraining)
	e.Details, e.Causes = decodeRefusal(d.Reply)
	return e
}

// cut shortens text to n bytes at most.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
