package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/eventfile"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// whole is a run of one job as it should be.
func whole() ([]Event, map[string]*Record) {
	return []Event{
		{Kind: Taken, Job: "a"}, {Kind: Effect, Job: "a", Token: 7}, {Kind: Lapsed, Job: "a", Token: 7},
		{Kind: Effect, Job: "a", Token: 9}, {Kind: Result, Job: "a", Text: "done a"},
		{Kind: Killed, Worker: "w7", At: 1e9},
	}, map[string]*Record{"a": {TakenIn: 1, Starts: starts(7, 9), Done: 1, DoneBy: 9}}
}

// starts are starts with these tokens, each by a worker of its own, as many 300 ms after the epoch.
func starts(tokens ...uint64) (all []Start) {
	for _, n := range tokens {
		all = append(all, Start{Token: n, Worker: fmt.Sprint("w", n), At: time.UnixMilli(int64(n) * 300)})
	}
	return all
}

func TestJudgeAcquits(t *testing.T) {
	v := Judge(whole())
	events, redis := whole()
	near := Judge(append(events, Event{Kind: Outage, At: 2e9}), redis)
	if len(near.Breaches) > 0 || len(near.TakenOver) > 0 {
		t.Errorf("%+v; want nothing said of a take-over at an outage", near)
	}
	if len(v.Breaches) > 0 || v.Jobs != 1 || v.Again != 1 || v.Starts != 2 || v.Results != 1 || v.Lapsed != 1 ||
		!slices.Equal(v.TakenOver, []time.Duration{1700 * time.Millisecond}) {
		t.Errorf("%+v", v)
	}
}

// Every way to break a promise is found.
func TestJudgeFinds(t *testing.T) {
	without := func(kind string) func([]Event, map[string]*Record) []Event {
		return func(e []Event, _ map[string]*Record) []Event {
			return slices.DeleteFunc(e, func(e Event) bool { return e.Kind == kind })
		}
	}
	change := func(f func(r *Record)) func([]Event, map[string]*Record) []Event {
		return func(e []Event, m map[string]*Record) []Event {
			f(m["a"])
			return e
		}
	}
	for want, tamper := range map[string]func([]Event, map[string]*Record) []Event{
		"has no effect":                 without(Effect),
		"never said to be taken in":     without(Taken),
		"never completed":               change(func(r *Record) { r.Done = 0 }),
		"completed 2 times":             change(func(r *Record) { r.Done = 2 }),
		"taken in 2 times":              change(func(r *Record) { r.TakenIn = 2 }),
		"a died":                        change(func(r *Record) { r.Dead = 1 }),
		"token 7 after 9":               change(func(r *Record) { r.Starts = starts(9, 7, 9) }),
		"not that of its last start":    change(func(r *Record) { r.DoneBy = 7 }),
		"by a start that had no effect": change(func(r *Record) { r.DoneBy, r.Starts = 11, starts(7, 9, 11) }),
		"does not know it": func(e []Event, m map[string]*Record) []Event {
			delete(m, "a")
			return e
		},
		"nobody took it in": func(e []Event, m map[string]*Record) []Event {
			m["b"] = &Record{TakenIn: 1}
			return e
		},
		`result 1 is "done b"`: func(e []Event, _ map[string]*Record) []Event {
			e[4].Text = "done b"
			return e
		},
		"result 2": func(e []Event, _ map[string]*Record) []Event { return append(e, e[4]) },
	} {
		events, redis := whole()
		events = tamper(events, redis)
		if v := Judge(events, redis); !strings.Contains(v.String(), want) {
			t.Errorf("%s: %v", want, v)
		}
	}
}

func TestJudgeTicks(t *testing.T) {
	once := func() *Record { return &Record{TakenIn: 1, Done: 1} }
	redis := map[string]*Record{"other": once(),
		"t@2030-01-01T00:00:00Z": once(), "t@2030-01-01T00:00:01Z": once(), "t@2030-01-01T00:00:02Z": once()}
	if n, v := JudgeTicks(redis, "t", time.Second); n != 3 || len(v.Breaches) > 0 {
		t.Errorf("%d, %v", n, v)
	}
	redis["t@2030-01-01T00:00:01Z"].TakenIn = 2
	if _, v := JudgeTicks(redis, "t", time.Second); !strings.Contains(v.String(), "taken in 2 times") {
		t.Errorf("%v", v)
	}
	delete(redis, "t@2030-01-01T00:00:01Z")
	redis["t@noon"] = once()
	_, v := JudgeTicks(redis, "t", time.Second)
	if text := v.String(); !strings.Contains(text, "2s after 2030-01-01T00:00:00Z") || !strings.Contains(text, "no tick") {
		t.Error(text)
	}
}

func TestLogOutlivesACutLine(t *testing.T) {
	dir := t.TempDir()
	l, err := Create(dir, "w")
	if err != nil {
		t.Fatal(err)
	}
	l.Append(Event{Kind: Effect, Job: "a", Token: 1})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "w"+eventfile.Extension)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, `{"kind":"eff`...), 0o600); err != nil {
		t.Fatal(err)
	}
	events, err := Read(dir)
	if err != nil || len(events) != 1 || events[0].Job != "a" || events[0].Token != 1 || events[0].At == 0 {
		t.Errorf("%+v, %v", events, err)
	}
	if _, err := Create(dir, "w"); err == nil {
		t.Error("two processes share a file")
	}
	if l.Append(Event{}); l.Close() == nil {
		t.Error("an event that was not written is not told")
	}
}
