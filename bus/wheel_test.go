package bus

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const testTick = 10 * time.Millisecond

// sleeper is an owner of a timer, and what the model of a wheel knows of it.
type sleeper struct {
	timer timer[sleeper]
	name  int
	due   time.Duration // the tick at which the model fires it
	order int           // when it was scheduled, among all
}

// wheelModel is a wheel beside a plain list that says what the wheel is to do.
type wheelModel struct {
	t       *rapid.T
	wheel   *wheel[sleeper]
	all     []*sleeper
	waiting []*sleeper
	now     time.Duration // the tick that has come
	orders  int
}

func newWheelModel(t *rapid.T) *wheelModel {
	m := &wheelModel{t: t, wheel: newWheel[sleeper](testTick, 64)}
	for i := range 20 {
		s := &sleeper{name: i}
		s.timer.owner = s
		m.all = append(m.all, s)
	}
	return m
}

func (m *wheelModel) schedule(s *sleeper, when time.Duration) {
	m.wheel.schedule(&s.timer, when)
	m.forget(s)
	s.due = max((when + testTick - 1).Truncate(testTick), m.now+testTick)
	s.order = m.orders
	m.orders++
	m.waiting = append(m.waiting, s)
}

func (m *wheelModel) stop(s *sleeper) {
	m.wheel.stop(&s.timer)
	m.forget(s)
}

func (m *wheelModel) forget(s *sleeper) {
	m.waiting = slices.DeleteFunc(m.waiting, func(w *sleeper) bool { return w == s })
}

func (m *wheelModel) first() *sleeper {
	return slices.MinFunc(m.waiting, func(a, b *sleeper) int {
		if a.due != b.due {
			return int(a.due - b.due)
		}
		return a.order - b.order
	})
}

// advance checks each firing against the model, and lets some owners change timers, their own too.
func (m *wheelModel) advance(to time.Duration) {
	budget := 30 // an owner that schedules itself again and again is to end some time
	m.wheel.advance(to, func(s *sleeper) {
		if len(m.waiting) == 0 || m.first() != s {
			m.t.Fatalf("%d fired out of turn", s.name)
		}
		if s.due > to {
			m.t.Fatalf("%d fired at %v, due only at %v", s.name, to, s.due)
		}
		if s.timer.scheduled() {
			m.t.Fatalf("%d fires and is still scheduled", s.name)
		}
		m.forget(s)
		m.now = s.due
		if budget--; budget > 0 {
			m.act("firing")
		}
	})
	m.now = max(m.now, to.Truncate(testTick))
	if len(m.waiting) > 0 && m.first().due <= m.now {
		m.t.Fatalf("%d has not fired by %v, due at %v", m.first().name, m.now, m.first().due)
	}
}

// act schedules or stops one timer, or nothing.
func (m *wheelModel) act(label string) {
	s := m.all[rapid.IntRange(0, len(m.all)-1).Draw(m.t, label)]
	switch rapid.IntRange(0, 3).Draw(m.t, "what") {
	case 0, 1:
		turn := 64 * testTick
		m.schedule(s, m.now+time.Duration(rapid.Int64Range(int64(-testTick), int64(3*turn)).Draw(m.t, "in")))
	case 2:
		m.stop(s)
	}
}

func (m *wheelModel) check() {
	if m.wheel.len() != len(m.waiting) {
		m.t.Fatalf("len is %d, want %d", m.wheel.len(), len(m.waiting))
	}
	for _, s := range m.all {
		if s.timer.scheduled() != slices.Contains(m.waiting, s) {
			m.t.Fatalf("%d scheduled: %v", s.name, s.timer.scheduled())
		}
	}
}

func TestWheelAgainstList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newWheelModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"":    func(*rapid.T) { m.check() },
			"act": func(*rapid.T) { m.act("timer") },
			"step": func(t *rapid.T) {
				m.advance(m.now + time.Duration(rapid.Int64Range(0, int64(3*testTick)).Draw(t, "by")))
			},
			"jump": func(t *rapid.T) {
				m.advance(m.now + time.Duration(rapid.Int64Range(0, int64(200*testTick)).Draw(t, "by")))
			},
		})
	})
}

// A timer that is many turns away fires at its tick, however coarsely time passes.
func TestWheelFarTimer(t *testing.T) {
	const far, turn = 10*time.Minute + time.Millisecond, 512 * testTick
	for _, step := range []time.Duration{testTick, turn - testTick, turn, 3 * turn} {
		w := newWheel[sleeper](testTick, 512)
		s := &sleeper{}
		s.timer.owner = s
		w.schedule(&s.timer, far)
		fired := time.Duration(-1)
		for at := time.Duration(0); fired < 0 && at < 2*far; at += step {
			w.advance(at, func(*sleeper) { fired = at })
		}
		if fired < far || fired >= far+testTick+step {
			t.Errorf("in steps of %v: fired at %v, want at the first step a tick after %v", step, fired, far)
		}
	}
}

func TestWheelEndsOfTime(t *testing.T) {
	w := newWheel[sleeper](testTick, 64)
	past, never := &sleeper{name: 1}, &sleeper{name: 2}
	past.timer.owner, never.timer.owner = past, never
	w.schedule(&past.timer, -time.Hour)
	w.schedule(&never.timer, 1<<63-1)
	var fired []int
	w.advance(time.Hour, func(s *sleeper) { fired = append(fired, s.name) })
	w.advance(0, func(s *sleeper) { t.Errorf("%d fired when time went back", s.name) })
	if !slices.Equal(fired, []int{1}) {
		t.Errorf("fired %v, want what was due in the past alone", fired)
	}
}

func TestWheelStopsWhatFiresTogether(t *testing.T) {
	w := newWheel[sleeper](testTick, 64)
	a, b := &sleeper{name: 1}, &sleeper{name: 2}
	a.timer.owner, b.timer.owner = a, b
	w.schedule(&a.timer, testTick)
	w.schedule(&b.timer, testTick)
	w.advance(testTick, func(s *sleeper) {
		if s == b {
			t.Error("b fired after a had stopped it")
		}
		w.stop(&b.timer)
	})
	if w.len() != 0 {
		t.Errorf("%d timers are left", w.len())
	}
}

func TestWheelAllocatesNothing(t *testing.T) {
	w := newWheel[sleeper](testTick, 512)
	s := &sleeper{}
	s.timer.owner = s
	now := time.Duration(0)
	if n := testing.AllocsPerRun(1000, func() {
		w.schedule(&s.timer, now+5*time.Second)
		w.schedule(&s.timer, now+testTick)
		now += testTick
		w.advance(now, func(s *sleeper) { w.schedule(&s.timer, now) })
		w.stop(&s.timer)
	}); n != 0 {
		t.Errorf("%v allocations a turn, want none", n)
	}
}

// BenchmarkWheel is a bus with 100,000 requests in flight: each step schedules a deadline and stops an older one.
func BenchmarkWheel(b *testing.B) {
	w := newWheel[sleeper](testTick, 512)
	flight := make([]sleeper, 100_000)
	for i := range flight {
		flight[i].timer.owner = &flight[i]
	}
	b.ReportAllocs()
	now, i := time.Duration(0), 0
	for b.Loop() {
		s := &flight[i%len(flight)]
		w.stop(&s.timer)
		now += 2 * time.Microsecond
		w.schedule(&s.timer, now+5*time.Second)
		w.advance(now, func(*sleeper) {})
		i++
	}
}
