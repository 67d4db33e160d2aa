package chaos

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
)

// A step is what is done after a pause: one fault, or two at once. The next step begins when all of it is healed.
type step struct {
	pause time.Duration
	acts  []act
}

// An act is one fault done once.
type act struct {
	kind   kind
	target int
	hold   time.Duration
}

const (
	// calmPause is at least so long that the promises about quiet times have something to be held against.
	calmPause = 4500 * time.Millisecond
	moreCalm  = 2 * time.Second
	// restlessPause leaves no time for anything to settle.
	restlessPause = 600 * time.Millisecond
)

// betweenRestarts is for how long a node that came back is left alone with the others.
const betweenRestarts = 500 * time.Millisecond

// steps are what the options ask for.
func (o *Options) steps() ([]step, error) {
	if o.Restarts == 0 {
		return drawn(o.Seed, o.Duration, o.Only)
	}
	drain := slices.IndexFunc(processKinds(), func(k kind) bool { return k.does == history.Drains })
	var steps []step
	for range o.Restarts {
		for target := range nodes {
			steps = append(steps, step{pause: betweenRestarts, acts: []act{{kind: processKinds()[drain], target: target}}})
		}
	}
	return steps, nil
}

// drawn is the schedule of a seed: steps that fill a time.
func drawn(seed uint64, total time.Duration, only string) ([]step, error) {
	chance := rand.New(rand.NewPCG(seed, 0))
	var choice []kind
	for _, k := range kinds() {
		if only == "" || strings.HasPrefix(k.name, only) {
			choice = append(choice, slices.Repeat([]kind{k}, k.weight)...)
		}
	}
	if len(choice) == 0 {
		return nil, fmt.Errorf("chaos: there is no fault %q", only)
	}
	var steps []step
	for left := total; left > 0; {
		s := drawStep(chance, choice)
		steps = append(steps, s)
		left -= s.pause + s.longest()
	}
	return steps, nil
}

func drawStep(chance *rand.Rand, choice []kind) step {
	s := step{pause: calmPause + time.Duration(chance.Int64N(int64(moreCalm)))}
	if chance.IntN(3) == 0 {
		s.pause = time.Duration(chance.Int64N(int64(restlessPause)))
	}
	s.acts = []act{drawAct(chance, choice)}
	if other := drawAct(chance, choice); chance.IntN(5) == 0 && !s.acts[0].besides(&other) {
		s.acts = append(s.acts, other)
	}
	return s
}

func drawAct(chance *rand.Rand, choice []kind) act {
	k := choice[chance.IntN(len(choice))]
	a := act{kind: k, target: chance.IntN(k.targets), hold: k.least}
	if k.most > k.least {
		// Short ones are as interesting as long ones.
		share := chance.Float64()
		a.hold += time.Duration(share * share * float64(k.most-k.least))
	}
	return a
}

// besides reports whether two acts would be in each other's way: of the same sort, about the same thing, or both about Redis.
func (a *act) besides(o *act) bool {
	sort := func(name string) string {
		first, _, _ := strings.Cut(name, " ")
		return first
	}
	return sort(a.kind.name) == sort(o.kind.name) || a.target == o.target && a.kind.targets > 1 && o.kind.targets > 1 ||
		a.kind.redis && o.kind.redis
}

func (s *step) longest() time.Duration {
	var longest time.Duration
	for _, a := range s.acts {
		longest = max(longest, a.hold)
	}
	return longest
}

func (a *act) String() string {
	return fmt.Sprintf("%s (%d) for %v", a.kind.name, a.target+1, a.hold.Round(time.Millisecond))
}

// printSchedule writes what a seed has in store.
func printSchedule(to io.Writer, steps []step) {
	for i, s := range steps {
		var acts []string
		for _, a := range s.acts {
			acts = append(acts, a.String())
		}
		fmt.Fprintf(to, "%3d. after %v: %s\n", i+1, s.pause.Round(time.Millisecond), strings.Join(acts, " + "))
	}
}
