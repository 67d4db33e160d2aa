package worker

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	maxQueueName = 128
	maxJobID     = 128
	maxUniqueKey = 512
)

// A JobID names a job within its queue: a UUIDv7 in text form, or what the enqueuer chose (see WithID).
type JobID string

func newJobID() (JobID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("worker: new job ID: %w", err)
	}
	return JobID(id.String()), nil
}

// checkName holds a name against what can stand in a key of Redis and in a path of a URL.
func checkName(what, name string, most int, forbidden string) error {
	if name == "" || len(name) > most || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) ||
		strings.ContainsAny(name, forbidden) {
		return fmt.Errorf("%w: %s %q: want 1 to %d bytes of UTF-8 without control characters or any of %q", ErrName, what, clip(name), most,
			forbidden)
	}
	return nil
}

// CheckQueue holds the name of a queue against the rule: 1 to 128 bytes of UTF-8 without control characters, braces or slashes. Its error
// wraps ErrName.
func CheckQueue(name string) error { return checkName("queue", name, maxQueueName, "{}/") }

func checkID(id JobID) error { return checkName("job ID", string(id), maxJobID, "/") }

// clip shortens text for an error message.
func clip(s string) string { return clipTo(s, 64) }

func clipTo(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// A workerID is the name of a pool as a consumer: the node's ID, a number that no other pool has, the node's name.
type workerID string

func newWorkerID(node uuid.UUID, name string) workerID {
	return workerID(fmt.Sprintf("%s.%016x.%s", node, rand.Uint64(), name))
}

// node is the ID of the worker's node; uuid.Nil where the text is none of ours.
func (w workerID) node() uuid.UUID {
	const textLength = 36
	if len(w) < textLength {
		return uuid.Nil
	}
	id, err := uuid.Parse(string(w[:textLength]))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// name is the readable name of the worker's node.
func (w workerID) name() string {
	parts := strings.SplitN(string(w), ".", 3)
	return parts[len(parts)-1]
}
