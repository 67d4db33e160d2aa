package rpc

import (
	"context"
	"maps"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/ackbus/ackbus/bus"
)

// Names of OpenTelemetry's conventions for rpc and messaging, which are still in development.
const (
	tracerName      = "github.com/ackbus/ackbus/rpc"
	attributeSystem = "rpc.system"
	attributeMethod = "rpc.method"
	attributeCode   = "error.type"
	attributeID     = "messaging.message.conversation_id"
	systemName      = "ackbus"
)

// Tracing makes a span for each call, of either side, named by its method. The caller's trace travels in the headers, as
// W3C traceparent and tracestate.
func Tracing(with trace.TracerProvider) Interceptor {
	tracer := with.Tracer(tracerName)
	var travels propagation.TraceContext
	return func(next Invoker) Invoker {
		return func(ctx context.Context, r *Request) (bus.Body, error) {
			kind := trace.SpanKindClient
			if r.Incoming {
				kind = trace.SpanKindServer
				ctx = travels.Extract(ctx, propagation.MapCarrier(r.Headers))
			}
			ctx, span := tracer.Start(ctx, r.Method, trace.WithSpanKind(kind), trace.WithAttributes(r.traced()...))
			defer span.End()
			if !r.Incoming {
				headers := maps.Clone(r.Headers)
				if headers == nil {
					headers = make(map[string]string, 2)
				}
				travels.Inject(ctx, propagation.MapCarrier(headers))
				r.Headers = headers
			}
			reply, err := next(ctx, r)
			if err != nil {
				span.SetAttributes(attribute.String(attributeCode, codeLabel(err)))
				span.SetStatus(codes.Error, err.Error())
			}
			return reply, err
		}
	}
}

// traced is what a span says of a call.
func (r *Request) traced() []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String(attributeSystem, systemName), attribute.String(attributeMethod, r.Method)}
	if r.Incoming {
		attrs = append(attrs, attribute.String(attributeID, r.ID.String()))
	}
	return attrs
}
