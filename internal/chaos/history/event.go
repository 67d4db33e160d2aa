package history

import "encoding/json"

// The kinds of events, with the fields that they have beside At and Actor.
const (
	// Welcome: the client's socket stands. Socket, Node, Groups, Text: the client's manner.
	Welcome = "welcome"
	// Closed: the socket is gone, as far as the client knows. Socket, Text: why.
	Closed = "closed"
	// Seen: a message was read. Socket, Message.
	Seen = "seen"
	// Answered: the client begins to write an acknowledgement or a refusal. Socket, Message.
	Answered = "answered"
	// Asked: a call begins. Call.
	Asked = "asked"
	// Ended: a call has returned. End.
	Ended = "ended"
	// Stalled: the process did not run from Since to At, as its watchdog found, or the node did not answer for so long.
	Stalled = "stalled"
	// Began: a process that counts on nothing from before begins. Text: what it is.
	Began = "began"
	// Left: a process ended. Text: how; Wanted: whether somebody had it end.
	Left = "left"
	// Fault: a fault begins. Fault.
	Fault = "fault"
	// Healed: the fault of the same number is over. Fault.
	Healed = "healed"
	// Gauge: what a process holds. Text: "start" or "end"; Values.
	Gauge = "gauge"
	// Called: the call of a method begins. Task.
	Called = "called"
	// Returned: it has returned. Outcome.
	Returned = "returned"
	// Ran: the handler of a method is called. Turn.
	Ran = "ran"
	// RanOut: it returns. Turn; Text: empty, or why its context has ended.
	RanOut = "ran out"
	// Handed: a job is about to be enqueued, and awaited or not. Task.
	Handed = "handed"
	// Taken: that has returned. Outcome.
	Taken = "taken"
	// Started: the handler of a job is called. Turn.
	Started = "started"
	// Finished: it returns. Turn; Text: empty where the job has had its effect, else why not.
	Finished = "finished"
	// Kept: what Redis's own file says of a job. Job.
	Kept = "kept"
	// Settled: the run is as it should be, and what is asked from now on counts.
	Settled = "settled"
)

// An Event is one line of a history.
type Event struct {
	At      int64              `json:"at"` // nanoseconds of the machine's monotonic clock
	Kind    string             `json:"kind"`
	Actor   string             `json:"actor,omitempty"` // the client, publisher, or node that it is about
	Since   int64              `json:"since,omitempty"`
	Socket  string             `json:"socket,omitempty"`
	Node    string             `json:"node,omitempty"`
	Text    string             `json:"text,omitempty"`
	Groups  []string           `json:"groups,omitempty"`
	Wanted  bool               `json:"wanted,omitempty"`
	Message *Message           `json:"message,omitempty"`
	Call    *Call              `json:"call,omitempty"`
	End     *End               `json:"end,omitempty"`
	Fault   *Trouble           `json:"fault,omitempty"`
	Values  map[string]float64 `json:"values,omitempty"`
	Task    *Task              `json:"task,omitempty"`
	Outcome *Outcome           `json:"outcome,omitempty"`
	Turn    *Turn              `json:"turn,omitempty"`
	Job     *Job               `json:"job,omitempty"`

	Where string `json:"-"` // file and line, once read
}

// The manners of clients: what they do with a message that awaits an acknowledgement.
const (
	Prompt = "ok"   // confirms at once
	Slow   = "slow" // confirms after a while
	Weary  = "late" // confirms after seconds
	Unkind = "no"   // refuses
	Mute   = "mute" // says nothing
	Fickle = "quit" // hangs up, now and then, and comes back
)

// A Key names a call, and every message of it, whatever ID the bus gives it. It travels in the body.
type Key struct {
	Publisher string `json:"publisher"`
	Number    int    `json:"number"`
}

// The answers of a client.
const (
	Ack  = "ack"
	Nack = "nack"
)

// A Message is one that a client saw or answers.
type Message struct {
	Key
	ID          string `json:"id"`
	To          string `json:"to,omitempty"`
	Redelivered bool   `json:"redelivered,omitempty"`
	Handled     bool   `json:"handled,omitempty"` // the client had not handled it before, and does now
	Answer      string `json:"answer,omitempty"`
}

// A Call is a request, or a message that is only published.
type Call struct {
	Key
	To       string `json:"to"`
	From     string `json:"from"`            // who publishes it on the bus: the node that is asked, or the publisher itself
	Entry    string `json:"entry,omitempty"` // the node that is asked by HTTP
	Publish  bool   `json:"publish,omitempty"`
	Level    string `json:"level,omitempty"`
	Require  string `json:"require,omitempty"`
	Volatile bool   `json:"volatile,omitempty"`
	Deadline int64  `json:"deadline"`
	ID       string `json:"id,omitempty"`    // that the caller chose
	First    int    `json:"first,omitempty"` // number of the call that had the same ID and content first; 0: this one
}

// An End is what a call returned: a receipt, or why there is none; of what was only published neither.
type End struct {
	Key
	Receipt *Receipt `json:"receipt,omitempty"`
	Failure string   `json:"failure,omitempty"` // one of the failures below, or what else went wrong
	Detail  string   `json:"detail,omitempty"`  // what was said about the failure
	At      int64    `json:"-"`                 // when the call returned; 0: when it is written down
}

// Failures.
const (
	Unavailable = "unavailable" // nothing was sent
	Overloaded  = "overloaded"  // nothing was sent
	Ambiguous   = "unknown"     // of what was only published
	Broken      = "broken"      // the node that was asked did not answer
)

// A Receipt is one in its public shape.
type Receipt struct {
	ID         string         `json:"id"`
	To         string         `json:"to"`
	Outcome    string         `json:"outcome"`
	Nodes      int            `json:"nodes"`
	Expected   int            `json:"expected"`
	Counts     map[string]int `json:"counts"`
	Elapsed    float64        `json:"elapsed_ms"`
	Deliveries []Delivery     `json:"deliveries"`
}

// A Delivery is one of a receipt, in its public shape.
type Delivery struct {
	Node    string          `json:"node,omitempty"`
	NodeID  string          `json:"node_id,omitempty"`
	Socket  string          `json:"socket,omitempty"`
	User    string          `json:"user,omitempty"`
	Outcome string          `json:"outcome"`
	Reply   json.RawMessage `json:"reply,omitempty"`
	Error   *Refusal        `json:"error,omitempty"`
	Written *float64        `json:"written_ms,omitempty"`
	Settled *float64        `json:"settled_ms,omitempty"`
}

// A Refusal is why a delivery was rejected or dropped.
type Refusal struct {
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// What a fault may do to whom it touches, beside disturbing it.
const (
	Kills    = "kills"    // a process dies at once
	Silences = "silences" // a process or its link to Redis stands still, and others must notice
	Hides    = "hides"    // it does so for less long: others may take it for gone
	Drains   = "drains"   // a process ends when it has finished
	Shifts   = "shifts"   // a wall clock jumps, which must not matter
)

// A Trouble is a fault that was done.
type Trouble struct {
	Number  int      `json:"number"`
	Name    string   `json:"name"`
	Touches []string `json:"touches,omitempty"` // nodes, publishers, "redis", "clients", "answers"
	Does    string   `json:"does,omitempty"`
}
