package worker

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/ackbus/ackbus/bus"
)

// QueueInfo is what a queue holds, and what it has counted since it came into being.
type QueueInfo struct {
	Name    string
	Waiting int64         // no worker has them
	Running int64         // with workers
	Delayed int64         // they are due later: delayed, snoozed, or to be tried again
	Dead    int64         // dead letters
	Oldest  time.Duration // for how long the oldest of those that wait has done so; 0: none waits
	Workers int           // pools that work at it
	Paused  bool
	Limits  Limits

	Done        int64 // jobs that were finished
	Retried     int64 // attempts that failed and were followed by another
	Died        int64 // jobs that went to the dead letters
	Dropped     int64 // jobs that were dropped for room (Limits.DropOldest)
	DeadDropped int64 // dead letters that were dropped because there were too many (Limits.DeadLetters)
}

// MarshalJSON gives the info in its public shape; times in milliseconds.
func (i QueueInfo) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name        string `json:"name"`
		Waiting     int64  `json:"waiting"`
		Running     int64  `json:"running"`
		Delayed     int64  `json:"delayed"`
		Dead        int64  `json:"dead"`
		Oldest      int64  `json:"oldest_ms"`
		Workers     int    `json:"workers"`
		Paused      bool   `json:"paused"`
		Limits      Limits `json:"limits"`
		Done        int64  `json:"done"`
		Retried     int64  `json:"retried"`
		Died        int64  `json:"died"`
		Dropped     int64  `json:"dropped"`
		DeadDropped int64  `json:"dead_dropped"`
	}{i.Name, i.Waiting, i.Running, i.Delayed, i.Dead, i.Oldest.Milliseconds(), i.Workers, i.Paused, i.Limits, i.Done, i.Retried, i.Died,
		i.Dropped, i.DeadDropped})
}

// Info counts what the queue holds. A queue that nobody has used is empty.
func (q *Queue) Info(ctx context.Context) (QueueInfo, error) {
	reply, err := q.list(ctx, 8, scriptInfo)
	if err != nil {
		return QueueInfo{}, q.fail("info of", err)
	}
	i := QueueInfo{Name: q.name, Waiting: asNumber(reply[1]), Running: asNumber(reply[2]), Delayed: asNumber(reply[3]),
		Dead: asNumber(reply[4]), Workers: int(asNumber(reply[5]))}
	if since := asNumber(reply[6]); since > 0 {
		i.Oldest = max(time.Duration(asNumber(reply[0])-since)*time.Millisecond, 0)
	}
	named := make(map[string]string)
	for fields := asList(reply[7]); len(fields) > 1; fields = fields[2:] {
		named[asText(fields[0])] = asText(fields[1])
	}
	for name, to := range map[string]*int64{"done": &i.Done, "retried": &i.Retried, "died": &i.Died, "dropped": &i.Dropped,
		"dead_dropped": &i.DeadDropped} {
		*to, _ = strconv.ParseInt(named[name], 10, 64)
	}
	i.Paused = named["paused"] != ""
	i.Limits = limitsOf(named)
	return i, nil
}

// A State is where a job is.
type State string

// The states.
const (
	StateWaiting State = "waiting"
	StateDelayed State = "delayed"
	StateRunning State = "running"
	StateDead    State = "dead"
	StateDone    State = "done" // and its result, or its ID, is still kept
)

// JobInfo is what is known of a job.
type JobInfo struct {
	ID        JobID
	State     State
	Body      bus.Body // of a job that is done: none
	Priority  Priority
	Attempt   int       // how many attempts have begun
	Attempts  []Attempt // those that did not succeed, the oldest first
	Forgotten int       // how many of the oldest of those are no longer listed: 32 KiB of them are kept
	Enqueued  time.Time // by the enqueuer's clock
	Due       time.Time // of a delayed job
	Worker    string    // of a running job: the readable name of its node
	Progress  bus.Body  // what its handler reported last
	Died      time.Time // of a dead job
	Code      string    // of a dead job: why, as in JobError
	Result    *Result   // of a job that is done
}

// MarshalJSON gives what HTTP and the command line show: ID, data and attempts, and what there is besides.
func (i JobInfo) MarshalJSON() ([]byte, error) {
	attempts := i.Attempts
	if attempts == nil {
		attempts = []Attempt{}
	}
	var progress *bus.Body
	if !i.Progress.IsZero() {
		progress = &i.Progress
	}
	return json.Marshal(struct {
		ID        JobID     `json:"id"`
		State     State     `json:"state"`
		Body      bus.Body  `json:"data"`
		Priority  string    `json:"priority"`
		Attempts  []Attempt `json:"attempts"`
		Forgotten int       `json:"attempts_forgotten,omitempty"`
		Enqueued  time.Time `json:"enqueued,omitzero"`
		Due       time.Time `json:"due,omitzero"`
		Worker    string    `json:"worker,omitempty"`
		Progress  *bus.Body `json:"progress,omitempty"`
		Died      time.Time `json:"died,omitzero"`
		Code      string    `json:"code,omitempty"`
	}{i.ID, i.State, i.Body, i.Priority.String(), attempts, i.Forgotten, i.Enqueued, i.Due, i.Worker, progress, i.Died, i.Code})
}

// Job tells what is known of a job. ErrNoJob: the queue knows no such job.
func (q *Queue) Job(ctx context.Context, id JobID) (*JobInfo, error) {
	infos, err := q.inspect(ctx, []string{string(id)})
	if err != nil {
		return nil, q.fail("job in", err)
	}
	if len(infos) == 0 {
		return nil, q.fail("job in", ErrNoJob)
	}
	return &infos[0], nil
}

// inspect reads jobs; those that there are not are left out.
func (q *Queue) inspect(ctx context.Context, ids []string) ([]JobInfo, error) {
	if err := CheckQueue(q.name); err != nil {
		return nil, err
	}
	var infos []JobInfo
	for some := range slices.Chunk(ids, inspectBatch) {
		found, err := q.inspectSome(ctx, some)
		if err != nil {
			return nil, err
		}
		infos = append(infos, found...)
	}
	return infos, nil
}

// inspectBatch is how many jobs, each of megabytes, an answer within commandTimeout may have.
const inspectBatch = 20

func (q *Queue) inspectSome(ctx context.Context, ids []string) ([]JobInfo, error) {
	pipe := q.jobs.store.client.Pipeline()
	hashes := make([]*redis.MapStringStringCmd, len(ids))
	due, died := make([]*redis.FloatCmd, len(ids)), make([]*redis.FloatCmd, len(ids))
	for i, id := range ids {
		hashes[i] = pipe.HGetAll(ctx, q.base+"job:"+id)
		due[i] = pipe.ZScore(ctx, q.base+"delayed", id)
		died[i] = pipe.ZScore(ctx, q.base+"dead", id)
	}
	_, _ = pipe.Exec(ctx) // a score that is not there is an error of its own
	infos := make([]JobInfo, 0, len(ids))
	for i, id := range ids {
		h, err := hashes[i].Result()
		if err != nil {
			return nil, redisError(err)
		}
		if len(h) > 0 {
			infos = append(infos, jobInfo(JobID(id), h, due[i].Val(), died[i].Val()))
		}
	}
	return infos, nil
}

// jobInfo reads a job's hash. What can't be read is left out: it is shown to people who look for what is wrong.
func jobInfo(id JobID, h map[string]string, due, died float64) JobInfo {
	i := JobInfo{ID: id, State: StateWaiting, Code: h["code"]}
	if h["d"] != "" {
		s, err := decodeSpec(h["d"])
		if err == nil {
			i.Body, i.Priority, i.Enqueued = s.body, s.priority, time.UnixMilli(int64(s.enqueued)).UTC()
		}
	}
	i.Attempt, _ = strconv.Atoi(h["a"]) // those that are over
	i.Forgotten, _ = strconv.Atoi(h["f"])
	i.Attempts, _ = decodeHistory(h["h"])
	if n, err := decodeNotice([]byte(h["q"])); err == nil {
		i.Progress = n.body
	}
	switch {
	case h["s"] == "dead":
		i.State, i.Died = StateDead, time.UnixMilli(int64(died)).UTC()
	case h["s"] == "done":
		i.State = StateDone
		if n, err := decodeNotice([]byte(h["r"])); err == nil {
			i.Result, _ = n.result(id)
		}
	case h["w"] != "":
		i.State, i.Worker = StateRunning, workerID(h["w"]).name()
		i.Attempt++
	case due > 0:
		i.State, i.Due = StateDelayed, time.UnixMilli(int64(due)).UTC()
	}
	return i
}

// Delete deletes a job, whatever it is doing: an attempt under way is cancelled with ErrDeleted, and nothing it returns counts. Those who
// await the job end with ErrDeleted. ErrNoJob: the queue knows no such job.
func (q *Queue) Delete(ctx context.Context, id JobID) error { return q.remove(ctx, id, 0) }

func (q *Queue) remove(ctx context.Context, id JobID, deadOnly int) error {
	reply, err := q.list(ctx, 3, scriptDelete, string(id), deadOnly)
	if err == nil && asNumber(reply[0]) == 0 {
		err = ErrNoJob
	}
	if err != nil {
		return q.fail("delete job in", err)
	}
	q.deleted(ctx, id, workerID(asText(reply[1])), asText(reply[2]))
	return nil
}

// deleted tells the worker of a job that was deleted, and those who await it. It waits until they have heard, or ctx, or tellWithin: the
// process of the caller may end next.
func (q *Queue) deleted(ctx context.Context, id JobID, by workerID, askers string) {
	n := notice{id: id, code: codeDeleted}
	var under sync.WaitGroup
	defer under.Wait()
	tell := func(node uuid.UUID, event string) {
		under.Add(1)
		if !q.jobs.group.Go(func() {
			defer under.Done()
			_ = q.jobs.request(ctx, node, q.name, event, bus.Bytes(n.encode())) // it finds out by itself
		}) {
			under.Done()
		}
	}
	switch node := by.node(); node {
	case uuid.Nil:
	case q.jobs.self.ID:
		q.jobs.stop(q.name, id)
	default:
		tell(node, eventStop)
	}
	for asker := range strings.FieldsSeq(askers) {
		switch node, err := uuid.Parse(asker); {
		case err != nil:
		case node == q.jobs.self.ID:
			q.jobs.heard(q.name, n)
		default:
			tell(node, eventOver)
		}
	}
}
