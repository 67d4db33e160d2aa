package chaos_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

// Within its time the seed has a death, stops, a Redis that goes away and links that hold. Another kind of fault, or another weight,
// makes another schedule of it.
const (
	fixedSeed     = 76729
	fixedDuration = 9400 * time.Millisecond
	fixedRate     = 20 // a machine that runs other tests besides has little left
)

// A cluster of real processes keeps its promises through the faults of a fixed seed.
func TestFixedSeed(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 40 s, and two processors")
	}
	ackbus, err := chaos.Build(t.Context(), t.TempDir(), raced) // which may take its time
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var told strings.Builder
	v, dir, err := chaos.Run(ctx, chaos.Options{
		Seed: fixedSeed, Duration: fixedDuration, Rate: fixedRate, Calls: fixedRate, Jobs: fixedRate, Ackbus: ackbus, Out: &told,
	})
	if err != nil {
		t.Fatalf("%v\n%s\nlogs in %s", err, &told, dir)
	}
	v.Print(&told, 10)
	if len(v.Violations) > 0 {
		const program = "go run ./internal/chaos/cmd/chaos"
		t.Fatalf("%s\nreplay:      %s -seed %d -minutes %v -rate %d -calls %d -jobs %d\njudge again: %s %s",
			&told, program, fixedSeed, fixedDuration.Minutes(), fixedRate, fixedRate, fixedRate, program, dir)
	}
	for _, fault := range []string{"node killed", "worker killed", "clients stopped", "redis killed", "node to Redis: held"} {
		if v.Faults[fault] == 0 {
			t.Errorf("the seed has no %q: choose another one", fault)
		}
	}
	// On a busy machine there may have been no quiet time for the other rules.
	for _, r := range []judge.Rule{judge.OneOutcome, judge.TrueReceipt, judge.Confirmed, judge.Once, judge.Order, judge.Late, judge.Left,
		judge.CallsEnd, judge.Replies, judge.RunsOnce, judge.RunsEnd, judge.JobsEnd, judge.Results, judge.JobsKept, judge.DoneOnce,
		judge.Fenced} {
		if v.Examined[r] == 0 {
			t.Errorf("nothing was examined for %s", r)
		}
	}
	t.Log("\n" + told.String())
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
