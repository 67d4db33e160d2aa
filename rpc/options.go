package rpc

import (
	"encoding/json"

	"github.com/ackbus/ackbus/bus"
)

// callOptions is what the options of one call set.
type callOptions struct {
	affinity   string
	sticky     bool
	node       string
	idempotent bool
	headers    map[string]string
	receipt    **bus.Receipt
}

// isCertain reports whether the options ask for a certain instance.
func (o *callOptions) isCertain() bool { return o != nil && (o.sticky || o.node != "") }

// A CallOption changes one call.
type CallOption interface{ applyCall(o *callOptions) }

type callOption func(*callOptions)

func (f callOption) applyCall(o *callOptions) { f(o) }

// Affinity has calls with the same key go to the same instance, whoever makes them, as long as the instances are the same. When one
// leaves, its keys move to the others and no other key moves. CallEach ignores it.
func Affinity(key string) CallOption {
	return callOption(func(o *callOptions) { o.affinity, o.sticky = key, true })
}

// OnNode has the instance at one node called, given by the node's name or ID, and no other. Where several nodes have the name it
// is one of them. Without an instance there the call is CodeUnavailable. CallEach ignores it.
func OnNode(nameOrID string) CallOption {
	return callOption(func(o *callOptions) { o.node = nameOrID })
}

// WithHeader attaches a header, which the handler finds in RequestFrom(ctx).Headers. The bus's limits hold; keys that begin with
// "ackbus-" are this package's.
func WithHeader(key, value string) CallOption {
	return callOption(func(o *callOptions) {
		if o.headers == nil {
			o.headers = make(map[string]string)
		}
		o.headers[key] = value
	})
}

// Trace stores the receipt of the call: which node answered, and when. Of a call that was made again it is the last one's.
// It stores nil where nothing was sent.
func Trace(to **bus.Receipt) CallOption {
	return callOption(func(o *callOptions) { o.receipt = to })
}

// A MethodOption changes one method of a server.
type MethodOption interface{ applyMethod(m *method) }

type methodOption func(*method)

func (f methodOption) applyMethod(m *method) { f(m) }

// A MethodCallOption serves methods and calls alike.
type MethodCallOption interface {
	CallOption
	MethodOption
}

type idempotent struct{}

func (idempotent) applyCall(o *callOptions) { o.idempotent = true }
func (idempotent) applyMethod(m *method)    { m.description.Idempotent = true }

// Idempotent says that the method may be run twice for one call, so a call that may have run goes to another instance instead
// of ending as CodeUnknown. Said of a method it holds for all its calls.
func Idempotent() MethodCallOption { return idempotent{} }

// Version is the method's version, as the listing shows it; any text of at most MaxVersion bytes. Default: none.
func Version(v string) MethodOption {
	return methodOption(func(m *method) { m.description.Version = v })
}

// Description says in a sentence what the method does; at most MaxDescription bytes. Default: nothing.
func Description(text string) MethodOption {
	return methodOption(func(m *method) { m.description.Description = text })
}

// Concurrency is how many calls of the method run at once at this instance. 0: ServerOptions.Concurrency.
func Concurrency(n int) MethodOption {
	return methodOption(func(m *method) { m.concurrency = n })
}

// Queue is how many calls of the method may wait at this instance; more are refused as overloaded. 0: ServerOptions.Queue,
// below: none waits.
func Queue(n int) MethodOption {
	return methodOption(func(m *method) { m.queue = n })
}

// Schema gives the JSON schemas of request and reply, in place of those that are made from the types. nil: none.
func Schema(request, reply json.RawMessage) MethodOption {
	return methodOption(func(m *method) { m.description.Request, m.description.Reply = request, reply })
}
