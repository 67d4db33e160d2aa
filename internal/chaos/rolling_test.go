package chaos_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos"
	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/chaos/judge"
)

// restartsEnv is how many times each of the nodes is started again, in place of once.
const restartsEnv = "ACKBUS_RESTARTS"

// Each of three nodes in turn drains and starts again, under load, with clients that come back: every request has one true outcome, nothing
// is handled twice, and whoever was connected throughout, at another node, has confirmed.
func TestRollingRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 20 s")
	}
	times, rate := 1, 30
	clients := map[string]int{history.Prompt: 24, history.Unkind: 3} // on which nothing is in flight for long: a drain takes no time
	if text := os.Getenv(restartsEnv); text != "" {
		var err error
		if times, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		rate = 100
		clients[history.Slow], clients[history.Mute] = 6, 2
	}
	ackbus, err := chaos.Build(t.Context(), t.TempDir(), raced) // which may take its time
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute+time.Duration(times)*time.Minute)
	defer cancel()
	var told strings.Builder
	v, dir, err := chaos.Run(ctx, chaos.Options{Seed: 1, Restarts: times, Rate: rate, Calls: -1, Jobs: -1, Ackbus: ackbus, Out: &told,
		Clients: clients})
	if err != nil {
		t.Fatalf("%v\n%s\nlogs in %s", err, &told, dir)
	}
	v.Print(&told, 10)
	if len(v.Violations) > 0 {
		t.Fatalf("%s\nhistories in %s", &told, dir)
	}
	if n := v.Faults["node drained"]; n != 3*times {
		t.Errorf("%d restarts", n)
	}
	for _, r := range []judge.Rule{judge.OneOutcome, judge.Confirmed, judge.Once, judge.Order, judge.Calm, judge.Left, judge.Process} {
		if short := times == 1 && r == judge.Calm; v.Examined[r] == 0 && !short { // the six seconds of one turn may be one long stall
			t.Errorf("nothing was examined for %s", r)
		}
	}
	t.Log("\n" + told.String())
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}
