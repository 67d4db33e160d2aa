package chaos

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// text is a schedule as it is printed, which is all that there is to it.
func text(t *testing.T, seed uint64, total time.Duration, only string) string {
	t.Helper()
	steps, err := drawn(seed, total, only)
	if err != nil {
		t.Fatal(err)
	}
	var printed strings.Builder
	printSchedule(&printed, steps)
	return printed.String()
}

// A seed draws the same schedule each time, and another seed another one.
func TestSeed(t *testing.T) {
	one := text(t, 7, time.Hour, "")
	if again := text(t, 7, time.Hour, ""); again != one {
		t.Error("the same seed drew another schedule")
	}
	if other := text(t, 8, time.Hour, ""); other == one {
		t.Error("another seed drew the same schedule")
	}
	if longer := text(t, 7, 2*time.Hour, ""); !strings.HasPrefix(longer, one) {
		t.Error("a longer run begins in another way")
	}
}

// In an hour each fault occurs, on each of its targets, within its bounds.
func TestEveryFault(t *testing.T) {
	steps, err := drawn(1, 6*time.Hour, "")
	if err != nil {
		t.Fatal(err)
	}
	done := make(map[string]map[int]bool)
	for _, s := range steps {
		for _, a := range s.acts {
			if done[a.kind.name] == nil {
				done[a.kind.name] = make(map[int]bool)
			}
			done[a.kind.name][a.target] = true
			if a.hold < a.kind.least || a.hold > max(a.kind.least, a.kind.most) {
				t.Errorf("%v", &a)
			}
		}
	}
	for _, k := range kinds() {
		if len(done[k.name]) != k.targets {
			t.Errorf("%s was done to %v, and has %d targets", k.name, done[k.name], k.targets)
		}
	}
}

// Faults have names of their own, and everything that doing them needs.
func TestKinds(t *testing.T) {
	var names []string
	for _, k := range kinds() {
		if slices.Contains(names, k.name) {
			t.Errorf("two are named %s", k.name)
		}
		names = append(names, k.name)
		if k.begin == nil || k.heal == nil || k.touches == nil || k.targets == 0 || k.most > 0 && k.most < k.least {
			t.Errorf("%s is not whole: %+v", k.name, k)
		}
	}
	if len(names) < 40 {
		t.Errorf("%d faults", len(names))
	}
}

func TestOnly(t *testing.T) {
	for line := range strings.Lines(text(t, 1, time.Minute, "redis killed")) {
		if !strings.Contains(line, "redis killed") {
			t.Error(line)
		}
	}
	if _, err := drawn(1, time.Minute, "no such fault"); err == nil {
		t.Error("a fault that there is not was drawn")
	}
}

func TestReadMetrics(t *testing.T) {
	const page = "# HELP go_goroutines n\ngo_goroutines 12\n" +
		"ackbus_connections{carrier=\"tcp\"} 2\nackbus_connections{carrier=\"websocket\"} 3\nother 9\n"
	got, err := readMetrics(strings.NewReader(page))
	if want := map[string]float64{"goroutines": 12, "connections": 5}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := readMetrics(strings.NewReader("go_goroutines many\n")); err == nil {
		t.Error("no number was read")
	}
}
