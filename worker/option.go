package worker

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ackbus/ackbus/bus"
)

// A Priority is the line in which a job waits.
type Priority uint8

// The priorities. The zero value is Normal.
const (
	Normal Priority = iota
	High
	Low
)

// String is the name of the priority.
func (p Priority) String() string {
	switch p {
	case High:
		return "high"
	case Low:
		return "low"
	default:
		return "normal"
	}
}

// The lines of a queue, by the number that scripts know them by.
const (
	lineAgain = iota + 1 // jobs that were taken over or given back: always first
	lineHigh             // the lines of the priorities
	lineNormal
	lineLow
)

func (p Priority) line() int {
	switch p {
	case High:
		return lineHigh
	case Low:
		return lineLow
	default:
		return lineNormal
	}
}

const (
	defaultAttempts  = 5
	maxAttempts      = 100
	defaultTimeLimit = 30 * time.Minute
	chosenKept       = time.Hour // how long the completion of a job with a chosen ID is remembered
	maxDelay         = 10 * 365 * 24 * time.Hour
)

type enqueueOptions struct {
	delay       time.Duration
	at          time.Time
	priority    Priority
	id          JobID
	chosen      bool // by the caller
	unique      string
	window      time.Duration
	attempts    int
	limit       time.Duration
	startWithin time.Duration
	keep        time.Duration
	replicas    int
	waitForRoom bool
	onProgress  func(bus.Body)
	inFlight    int
	asker       string // the node that awaits the job
}

// An EnqueueOption changes how one job is enqueued, or awaited.
type EnqueueOption func(*enqueueOptions)

// Delay has the job start not before d from now, by Redis's clock.
func Delay(d time.Duration) EnqueueOption { return func(o *enqueueOptions) { o.delay = d } }

// At has the job start not before t, by Redis's clock.
func At(t time.Time) EnqueueOption { return func(o *enqueueOptions) { o.at = t } }

// WithPriority has the job wait in the line of the priority. Default: Normal.
func WithPriority(p Priority) EnqueueOption { return func(o *enqueueOptions) { o.priority = p } }

// WithID chooses the job's ID, 1 to 128 bytes. Enqueued again under an ID that the queue knows, a job is not enqueued again, and
// that is no error. Known are jobs until they are finished, dead ones until they are deleted, and finished ones for an hour (or as
// long as Keep says, if that is longer).
func WithID(id JobID) EnqueueOption { return func(o *enqueueOptions) { o.id = id } }

// Unique refuses the job with a *DuplicateError while another holds the key, 1 to 512 bytes of UTF-8: for the window since that was
// enqueued, whatever becomes of it; or with the window 0 until it has finished, died or been deleted.
func Unique(key string, window time.Duration) EnqueueOption {
	return func(o *enqueueOptions) { o.unique, o.window = key, window }
}

// MaxAttempts is how often the job is tried before it is dead, 1 to 100. Default: 5.
func MaxAttempts(n int) EnqueueOption { return func(o *enqueueOptions) { o.attempts = n } }

// TimeLimit is how long one attempt may take; then its context ends, and it has failed. Default: 30 min; negative: no limit.
func TimeLimit(d time.Duration) EnqueueOption { return func(o *enqueueOptions) { o.limit = d } }

// StartWithin is how long after it was due the job may still be started; later it goes to the dead letters as expired. It is asked
// at each attempt. Default: for ever.
func StartWithin(d time.Duration) EnqueueOption { return func(o *enqueueOptions) { o.startWithin = d } }

// Keep is how long the result is kept in Redis, to be read by ID. Default: not at all.
func Keep(d time.Duration) EnqueueOption { return func(o *enqueueOptions) { o.keep = d } }

// Durable waits until n replicas of Redis have the job (WAIT, 1 s at most), and returns a *NotDurableError where fewer have: the job is
// taken in all the same.
func Durable(n int) EnqueueOption { return func(o *enqueueOptions) { o.replicas = n } }

// WaitForRoom waits while the queue is full, until the context ends, instead of failing with ErrQueueFull.
func WaitForRoom() EnqueueOption { return func(o *enqueueOptions) { o.waitForRoom = true } }

// OnProgress hears what the handler reports with Progress, while a Call or an Await waits, in its goroutine. Of reports that come faster
// than it returns, the newest 16 are kept.
func OnProgress(f func(bus.Body)) EnqueueOption {
	return func(o *enqueueOptions) { o.onProgress = f }
}

// InFlight is how many jobs a Map has under way at most. Default: 100.
func InFlight(n int) EnqueueOption { return func(o *enqueueOptions) { o.inFlight = n } }

// collect applies the options and holds them against what is allowed.
func collect(opts []EnqueueOption) (enqueueOptions, error) {
	o := enqueueOptions{attempts: defaultAttempts, limit: defaultTimeLimit, inFlight: 100}
	for _, opt := range opts {
		opt(&o)
	}
	o.chosen = o.id != ""
	if o.limit == 0 {
		o.limit = defaultTimeLimit
	}
	if o.attempts == 0 {
		o.attempts = defaultAttempts
	}
	err := o.check()
	return o, err
}

func (o *enqueueOptions) check() error {
	switch {
	case o.attempts < 1 || o.attempts > maxAttempts:
		return fmt.Errorf("%w: MaxAttempts(%d): want 1 to %d", ErrOption, o.attempts, maxAttempts)
	case o.priority > Low:
		return fmt.Errorf("%w: WithPriority(%d): want High, Normal or Low", ErrOption, o.priority)
	case o.replicas < 0:
		return fmt.Errorf("%w: Durable(%d): want 0 or more", ErrOption, o.replicas)
	case o.inFlight < 1:
		return fmt.Errorf("%w: InFlight(%d): want 1 or more", ErrOption, o.inFlight)
	case len(o.unique) > maxUniqueKey || !utf8.ValidString(o.unique):
		return fmt.Errorf("%w: Unique: want 1 to %d bytes of UTF-8", ErrOption, maxUniqueKey)
	case o.delay > maxDelay || o.window > maxDelay || o.startWithin > maxDelay || o.keep > maxDelay:
		return fmt.Errorf("%w: want 10 years at most", ErrOption)
	case o.window < 0 || o.startWithin < 0 || o.keep < 0:
		return fmt.Errorf("%w: Unique, StartWithin and Keep want no negative durations", ErrOption)
	}
	if o.id != "" {
		return checkID(o.id)
	}
	return nil
}

// script is what the enqueueing script has to know of the options: nothing for a plain job.
func (o *enqueueOptions) script() (string, error) {
	due := int64(0)
	if !o.at.IsZero() {
		due = max(o.at.UnixMilli(), 0)
	}
	if o.priority == Normal && o.delay <= 0 && due == 0 && o.startWithin == 0 && o.unique == "" {
		if o.chosen {
			return "c", nil
		}
		return "", nil
	}
	text, err := json.Marshal(struct {
		Line   int    `json:"p"`
		Delay  int64  `json:"d"`
		At     int64  `json:"at"`
		Start  int64  `json:"x"`
		Unique string `json:"u,omitempty"`
		Window int64  `json:"w"`
		Chosen bool   `json:"c,omitempty"`
	}{o.priority.line(), milliseconds(o.delay), due, milliseconds(o.startWithin), o.unique, milliseconds(o.window), o.chosen})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrOption, err)
	}
	return string(text), nil
}

// milliseconds rounds up, so that what is not zero stays so.
func milliseconds(d time.Duration) int64 {
	return max(int64((d+time.Millisecond-1)/time.Millisecond), 0)
}

// kept is how long the hash of a finished job stays.
func (o *enqueueOptions) kept() time.Duration {
	if o.chosen {
		return max(o.keep, chosenKept)
	}
	return o.keep
}
