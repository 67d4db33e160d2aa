package worker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

// scheduling builds a schedule that is not run.
func scheduling(t *testing.T, n *node, s Schedule) *schedule {
	t.Helper()
	s.Name, s.Queue = "s", "q"
	made, err := n.jobs.Pool(nil).schedule(s)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Three nodes fire every second; one dies and one comes. Each tick is fired once.
func TestScheduleFiresEachTickOnce(t *testing.T) {
	leak.Check(t)
	var mu sync.Mutex
	fired := make(map[JobID]int)
	first := shared(t, "keeper")
	q := first.jobs.Queue("q")
	first.work(nil, func(p *Pool) {
		Handle(p, "q", func(ctx context.Context, _ string) (int, error) {
			job, _ := JobOf(ctx)
			mu.Lock()
			defer mu.Unlock()
			fired[job.ID]++
			return 0, nil
		})
	})
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(fired)
	}
	// All of them catch up, for on a busy machine all may have slept through a tick.
	clock := func(p *Pool) {
		p.Schedule(Schedule{Name: "tick", Queue: "q", Cron: "* * * * * *", CatchUp: CatchUpAll, Job: "x"})
	}
	dying := attachMortal(t, "dying")
	dying.work(&PoolOptions{Drain: -1}, clock)
	shared(t, "b").work(nil, clock)
	until(t, "two ticks", func() bool { return count() >= 2 })
	dying.die()
	shared(t, "c").work(nil, clock)
	until(t, "five ticks", func() bool { return count() >= 5 })
	mu.Lock()
	defer mu.Unlock()
	var earliest, latest time.Time
	for id, n := range fired {
		if n != 1 {
			t.Errorf("%s fired %d times", id, n)
		}
		tick := at(t, string(id[len("tick@"):]))
		if earliest.IsZero() || tick.Before(earliest) {
			earliest = tick
		}
		if tick.After(latest) {
			latest = tick
		}
	}
	if span := int(latest.Sub(earliest)/time.Second) + 1; span != len(fired) {
		t.Errorf("%d ticks in %d s: some are missing", len(fired), span)
	}
	if i := info(t, q); i.Dead != 0 {
		t.Errorf("%+v", i)
	}
}

func TestCatchUp(t *testing.T) {
	n := shared(t, "one")
	now := at(t, "2030-05-01T12:00:30Z")
	for name, c := range map[string]struct {
		schedule Schedule
		last     string
		fires    int
		missed   bool
		first    string
	}{
		"in time":   {Schedule{Every: time.Minute}, "2030-05-01T12:00:00Z", 0, false, ""},
		"once":      {Schedule{Every: time.Minute}, "2030-05-01T10:00:00Z", 1, true, "2030-05-01T12:00:00Z"},
		"none":      {Schedule{Every: time.Minute, CatchUp: CatchUpNone}, "2030-05-01T10:00:00Z", 0, true, ""},
		"all":       {Schedule{Every: time.Minute, CatchUp: CatchUpAll}, "2030-05-01T11:30:00Z", 30, false, "2030-05-01T11:31:00Z"},
		"too many":  {Schedule{Every: time.Minute, CatchUp: CatchUpAll}, "2030-05-01T01:00:00Z", 100, true, "2030-05-01T10:21:00Z"},
		"cron":      {Schedule{Cron: "0 * * * *", CatchUp: CatchUpAll}, "2030-05-01T09:00:00Z", 3, false, "2030-05-01T10:00:00Z"},
		"just late": {Schedule{Cron: "29 0 12 * * *", CatchUp: CatchUpNone}, "2030-04-30T12:00:30Z", 1, false, "2030-05-01T12:00:29Z"},
	} {
		s := scheduling(t, n, c.schedule)
		due, next, missed, err := s.due(at(t, c.last), now)
		if err != nil || len(due) != c.fires || missed != c.missed || !next.After(now) {
			t.Errorf("%s: %v, next %v, missed %v, %v; want %d, missed %v", name, due, next, missed, err, c.fires, c.missed)
			continue
		}
		if c.fires > 0 && !due[0].Equal(at(t, c.first)) {
			t.Errorf("%s: the first is %v, want %v", name, due[0], c.first)
		}
	}
}

// Cron is read in the schedule's zone, also over the ends of daylight saving.
func TestZones(t *testing.T) {
	n := shared(t, "one")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones on this machine:", err)
	}
	s := scheduling(t, n, Schedule{Cron: "30 9 * * *", Zone: berlin})
	for after, want := range map[string]string{
		"2030-01-10T12:00:00Z": "2030-01-11T08:30:00Z", // winter
		"2030-07-10T12:00:00Z": "2030-07-11T07:30:00Z", // summer
		"2030-03-30T12:00:00Z": "2030-03-31T07:30:00Z", // the clocks went forward in between
		"2030-10-26T12:00:00Z": "2030-10-27T08:30:00Z", // and back
	} {
		next, err := s.next(at(t, after))
		if err != nil || !next.Equal(at(t, want)) {
			t.Errorf("after %s: %v, %v; want %s", after, next.UTC(), err, want)
		}
	}
}

// A schedule that begins has missed nothing, and goes on from where the last node left it.
func TestScheduleBegins(t *testing.T) {
	n := shared(t, "one")
	s := scheduling(t, n, Schedule{Every: time.Hour, Job: 1})
	if _, err := s.fireDue(t.Context(), n.jobs.log); err != nil {
		t.Fatal(err)
	}
	if i := info(t, s.queue); i.Waiting != 0 {
		t.Fatalf("%+v; want nothing fired", i)
	}
	tick := time.Now().Add(time.Hour)
	for range 3 {
		if err := s.fire(t.Context(), tick); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.fire(t.Context(), tick.Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	if i := info(t, s.queue); i.Waiting != 1 {
		t.Fatalf("%+v; want one fired", i)
	}
}
