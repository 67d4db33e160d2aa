package bus

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// A Requirement says how many of the endpoints that were there must reach the level.
type Requirement struct {
	n int // 0: any, -1: all, else at least n
}

// Any is met by one endpoint. It is the default.
func Any() Requirement { return Requirement{} }

// All is met by every endpoint, if there is at least one.
func All() Requirement { return Requirement{-1} }

// AtLeast is met by n endpoints; n below 1 counts as 1.
func AtLeast(n int) Requirement { return Requirement{max(n, 1)} }

// ParseRequirement reads any, all or a number of at least 1.
func ParseRequirement(s string) (Requirement, error) {
	switch s {
	case "any":
		return Any(), nil
	case "all":
		return All(), nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1<<30 {
		return Requirement{}, fmt.Errorf("bus: bad requirement %q: want any, all or a number of at least 1", clip(s))
	}
	return AtLeast(n), nil
}

// String is any, all or the number.
func (r Requirement) String() string {
	switch r.n {
	case 0:
		return "any"
	case -1:
		return "all"
	}
	return strconv.Itoa(r.n)
}

// MarshalText gives the text form.
func (r Requirement) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A Level is the stage that counts towards the requirement.
type Level uint8

// The levels.
const (
	Confirmed Level = iota // the endpoint acknowledged
	Written                // handed to the kernel, or to the handler; no acknowledgement is asked for
	Claimed                // a node holds the endpoint
)

// ParseLevel reads confirmed, written or claimed.
func ParseLevel(s string) (Level, error) {
	for _, l := range []Level{Confirmed, Written, Claimed} {
		if l.String() == s {
			return l, nil
		}
	}
	return 0, fmt.Errorf("bus: bad level %q: want confirmed, written or claimed", clip(s))
}

// String is the level's name.
func (l Level) String() string { return l.outcome().String() }

// outcome is the outcome of a receipt whose requirement was met at this level.
func (l Level) outcome() Outcome {
	switch l {
	case Written:
		return OutcomeWritten
	case Claimed:
		return OutcomeClaimed
	case Confirmed:
	}
	return OutcomeConfirmed
}

// reachedBy reports whether a delivery with the outcome has reached the level.
func (l Level) reachedBy(o Outcome) bool {
	return o == l.outcome() || l == Written && o == OutcomeConfirmed
}

// A Detail says how much a receipt lists.
type Detail uint8

// The details.
const (
	DetailAuto    Detail = iota // every delivery up to SummaryAbove endpoints, above that the failures alone
	DetailAll                   // every delivery
	DetailSummary               // the failures alone
)

// Bounds of receipts.
const (
	SummaryAbove = 100 // endpoints above which DetailAuto sums up
	MaxFailures  = 100 // failed deliveries that a receipt which sums up lists
)

// ParseDetail reads auto, all or summary.
func ParseDetail(s string) (Detail, error) {
	switch s {
	case "auto":
		return DetailAuto, nil
	case "all":
		return DetailAll, nil
	case "summary":
		return DetailSummary, nil
	}
	return 0, fmt.Errorf("bus: bad detail %q: want auto, all or summary", clip(s))
}

// sendOptions is what the options of Publish and Request set.
type sendOptions struct {
	require    Requirement
	level      Level
	detail     Detail
	failFast   bool
	volatile   bool
	trustCount bool
	id         uuid.UUID // uuid.Nil: the bus chooses
	headers    map[string]string
	onDelivery func(Delivery)
}

// A RequestOption changes one request.
type RequestOption interface{ applyRequest(o *sendOptions) }

// A PublishOption changes one publishing.
type PublishOption interface{ applyPublish(o *sendOptions) }

// A SendOption serves Publish and Request alike.
type SendOption interface {
	RequestOption
	PublishOption
}

type requestOption func(*sendOptions)

func (f requestOption) applyRequest(o *sendOptions) { f(o) }

type sendOption func(*sendOptions)

func (f sendOption) applyRequest(o *sendOptions) { f(o) }
func (f sendOption) applyPublish(o *sendOptions) { f(o) }

// Require sets how many endpoints must reach the level; the default is Any.
func Require(r Requirement) RequestOption {
	return requestOption(func(o *sendOptions) { o.require = r })
}

// WithLevel sets the level that counts; the default is Confirmed.
func WithLevel(l Level) RequestOption {
	return requestOption(func(o *sendOptions) { o.level = l })
}

// WithDetail sets how much the receipt lists; the default is DetailAuto.
func WithDetail(d Detail) RequestOption {
	return requestOption(func(o *sendOptions) { o.detail = d })
}

// FailFast ends the request as soon as its requirement can't be met any more, instead of waiting for a whole receipt.
func FailFast() RequestOption {
	return requestOption(func(o *sendOptions) { o.failFast = true })
}

// TrustCount believes Redis when it counts nobody: the request ends at once, as no_receiver where no copy of it was handed to
// anybody, and as unknown where an earlier one may have been. Without it nobody is said to be there only once every
// node's subscriptions are known to stand. It is for a caller that has somebody else to ask.
func TrustCount() RequestOption {
	return requestOption(func(o *sendOptions) { o.trustCount = true })
}

// OnDelivery is told of each delivery as it settles, in order, in the goroutine that called Request. Of a request that
// is summed up it hears the failures alone.
func OnDelivery(f func(Delivery)) RequestOption {
	return requestOption(func(o *sendOptions) { o.onDelivery = f })
}

// Volatile drops the message at endpoints that are not ready to take it at once.
func Volatile() SendOption {
	return sendOption(func(o *sendOptions) { o.volatile = true })
}

// WithID chooses the message's ID. The same ID used again within its time joins the first use, at whatever node.
func WithID(id uuid.UUID) SendOption {
	return sendOption(func(o *sendOptions) { o.id = id })
}

// WithHeader attaches a header: MaxHeaders of them, MaxHeaderBytes together.
func WithHeader(key, value string) SendOption {
	return sendOption(func(o *sendOptions) {
		if o.headers == nil {
			o.headers = make(map[string]string)
		}
		o.headers[key] = value
	})
}
