package history

// What methods and jobs do with what they get.
const (
	Quick  = "quick"  // answers at once
	Steady = "steady" // answers after a while
	Safe   = "safe"   // likewise, and may be run twice
	Long   = "long"   // answers after seconds
	Flaky  = "flaky"  // fails at the first attempt
	Bad    = "bad"    // refuses
	Absent = "absent" // is a method that nobody serves
)

// A Task is the call of a method, or a job.
type Task struct {
	Key
	Manner   string `json:"manner"`
	Millis   int    `json:"millis,omitempty"` // that it takes
	Await    bool   `json:"await,omitempty"`  // of a job: its result is waited for
	Delay    int64  `json:"delay,omitempty"`  // of a job: nanoseconds until it may start
	ID       string `json:"id,omitempty"`     // of a job: the one that its enqueuer chose
	First    int    `json:"first,omitempty"`  // of a job: number of the one that had the same ID first; 0: this one
	Deadline int64  `json:"deadline"`
	Quits    int64  `json:"quits,omitempty"` // when the caller gives up, before that; 0: it does not
}

// An Outcome is what somebody was told of a task.
type Outcome struct {
	Key
	ID      string `json:"id,omitempty"`     // of a job
	Code    string `json:"code,omitempty"`   // why it failed; empty: it did not
	Detail  string `json:"detail,omitempty"` // what was said about it
	Ran     bool   `json:"ran,omitempty"`    // it may have run
	Node    string `json:"node,omitempty"`   // that answered
	Answer  *Key   `json:"answer,omitempty"` // the task whose answer came, as the handler has it
	Attempt int    `json:"attempt,omitempty"`
}

// Why jobs were not taken in, or were not waited for to the end.
const (
	Refused  = "refused"   // nothing was taken in
	Maybe    = "maybe"     // nobody knows
	WaitOver = "wait over" // the time of the waiting was over
	Died     = "died"      // the job is dead
	Gone     = "gone"      // Redis no longer knows it
)

// GivenUp is when whoever waits for the task waits no longer.
func (t *Task) GivenUp() int64 {
	if t.Quits > 0 {
		return t.Quits
	}
	return t.Deadline
}

// A Turn is one time that a handler has a task.
type Turn struct {
	Key
	Number  int    `json:"turn"` // of the process
	Job     string `json:"job,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Token   uint64 `json:"token,omitempty"`
}

// A Job is what Redis's own file says of one.
type Job struct {
	ID      string   `json:"id"`
	TakenIn int      `json:"taken_in"`
	Tokens  []uint64 `json:"tokens"` // of its starts, in order
	Done    int      `json:"done"`
	DoneBy  uint64   `json:"done_by,omitempty"` // token; 0: a job that was not kept, of which nobody knows
	Dead    int      `json:"dead,omitempty"`
	Code    string   `json:"code,omitempty"`
	Flushed bool     `json:"flushed,omitempty"` // Redis was emptied after the job was taken in
	Lost    bool     `json:"lost,omitempty"`    // and before it was over
}
