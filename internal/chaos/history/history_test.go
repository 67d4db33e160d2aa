package history_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/run"
)

func TestMain(m *testing.M) { leak.Main(m) }

func create(t *testing.T, dir, name string) *history.Log {
	t.Helper()
	log, err := history.Create(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func closeLog(t *testing.T, log *history.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

// Two files are merged by time, and each event says where it stands.
func TestMerge(t *testing.T) {
	dir := t.TempDir()
	one, two := create(t, dir, "one"), create(t, dir, "two")
	one.Append(history.Event{Kind: history.Began, Actor: "a"})
	two.Append(history.Event{Kind: history.Began, Actor: "b"})
	one.Append(history.Event{Kind: history.Began, Actor: "c"})
	closeLog(t, one)
	closeLog(t, two)
	events, err := history.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	for _, e := range events {
		told.WriteString(e.Actor + " " + e.Where + ", ")
	}
	if told.String() != "a one.events:1, b two.events:1, c one.events:2, " {
		t.Error(told.String())
	}
}

// A line that a killed process did not finish is left out; one that is wrong is an error.
func TestCutOff(t *testing.T) {
	dir := t.TempDir()
	log := create(t, dir, "one")
	log.Append(history.Event{Kind: history.Began})
	closeLog(t, log)
	path := filepath.Join(dir, "one.events")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{string(whole) + `{"at":1,"ki`: 1, string(whole) + "{\"at\":\n": -1} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		events, err := history.Read(dir)
		if (err != nil) != (want < 0) || err == nil && len(events) != want {
			t.Errorf("%q: %v, %v", text, events, err)
		}
	}
}

func TestNoHistory(t *testing.T) {
	if _, err := history.Read(t.TempDir()); err == nil {
		t.Error("an empty directory was read")
	}
	dir := t.TempDir()
	closeLog(t, create(t, dir, "one"))
	if _, err := history.Create(dir, "one"); err == nil {
		t.Error("a history was written over")
	}
}

// What can't be written spoils the history, and Close says so.
func TestWriteFails(t *testing.T) {
	log := create(t, t.TempDir(), "one")
	closeLog(t, log)
	log.Append(history.Event{Kind: history.Began})
	if err := log.Close(); err == nil {
		t.Error("the write after the end was not told")
	}
}

// The clock is one for all logs, and rises.
func TestClock(t *testing.T) {
	dir := t.TempDir()
	one, two := create(t, dir, "one"), create(t, dir, "two")
	defer closeLog(t, one)
	defer closeLog(t, two)
	for range 100 {
		a, b, c := one.Now(), two.Now(), one.Now()
		const apart = 1e6 // the clock is read twice when a log is made
		if b < a-apart || c < b-apart {
			t.Fatal(a, b, c)
		}
	}
}

// A watchdog ends with its context.
func TestWatch(t *testing.T) {
	log := create(t, t.TempDir(), "one")
	group := run.New(context.Background())
	group.Go(func() { log.Watch(group.Context(), "one") })
	group.Stop()
	group.Wait()
	closeLog(t, log)
}
