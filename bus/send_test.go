package bus

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestRequirementText(t *testing.T) {
	for s, want := range map[string]Requirement{"any": Any(), "all": All(), "1": AtLeast(1), "10": AtLeast(10),
		"1073741824": AtLeast(1 << 30)} {
		got, err := ParseRequirement(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "-1", "Any", "1.5", "1e3", "1073741825", "99999999999999999999", strings.Repeat("9", 1<<20)} {
		if got, err := ParseRequirement(s); err == nil || len(err.Error()) > 400 ||
			!strings.Contains(err.Error(), "want any, all or a number") {
			t.Errorf("%.20q: got %v, %.100v", s, got, err)
		}
	}
}

func TestRequirementZeroIsAny(t *testing.T) {
	if (Requirement{}) != Any() {
		t.Error("the zero Requirement is not Any")
	}
}

func TestAtLeastCountsFromOne(t *testing.T) {
	for _, n := range []int{math.MinInt, -1, 0, 1} {
		if got := AtLeast(n); got != AtLeast(1) || got.String() != "1" {
			t.Errorf("AtLeast(%d) is %v, want 1", n, got)
		}
	}
}

func TestRequirementAsJSON(t *testing.T) {
	p, err := json.Marshal([]Requirement{Any(), All(), AtLeast(2)})
	if err != nil || string(p) != `["any","all","2"]` {
		t.Errorf("got %s, %v", p, err)
	}
}

func TestLevelText(t *testing.T) {
	for s, want := range map[string]struct {
		level   Level
		outcome Outcome
	}{"confirmed": {Confirmed, OutcomeConfirmed}, "written": {Written, OutcomeWritten}, "claimed": {Claimed, OutcomeClaimed}} {
		got, err := ParseLevel(s)
		if err != nil || got != want.level || got.String() != s || got.outcome() != want.outcome {
			t.Errorf("%q: got %v, %v, outcome %v", s, got, err, got.outcome())
		}
	}
	for _, s := range []string{"", "Confirmed", "rejected", "0"} {
		if got, err := ParseLevel(s); err == nil || !strings.Contains(err.Error(), "want confirmed, written or claimed") {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	if Level(0) != Confirmed {
		t.Error("the zero Level is not Confirmed")
	}
}

func TestDetailText(t *testing.T) {
	for s, want := range map[string]Detail{"auto": DetailAuto, "all": DetailAll, "summary": DetailSummary} {
		if got, err := ParseDetail(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "ALL", "full"} {
		if got, err := ParseDetail(s); err == nil || !strings.Contains(err.Error(), "want auto, all or summary") {
			t.Errorf("%q: got %v, %v", s, got, err)
		}
	}
}

func TestRequestOptions(t *testing.T) {
	id, heard := uuid.New(), 0
	var o sendOptions
	for _, option := range []RequestOption{Require(All()), WithLevel(Written), WithDetail(DetailSummary), FailFast(),
		Volatile(), WithID(id),
		OnDelivery(func(Delivery) { heard++ }), WithHeader("a", "1"), WithHeader("b", "2"), WithHeader("a", "3")} {
		option.applyRequest(&o)
	}
	if o.require != All() || o.level != Written || o.detail != DetailSummary || !o.failFast || !o.volatile || o.id != id {
		t.Errorf("got %+v", o)
	}
	if want := map[string]string{"a": "3", "b": "2"}; !maps.Equal(o.headers, want) {
		t.Errorf("headers are %v, want %v", o.headers, want)
	}
	if o.onDelivery(Delivery{}); heard != 1 {
		t.Errorf("the function of OnDelivery was called %d times", heard)
	}
}

func TestPublishOptions(t *testing.T) {
	id := uuid.New()
	var o sendOptions
	for _, option := range []PublishOption{Volatile(), WithID(id), WithHeader("a", "1")} {
		option.applyPublish(&o)
	}
	if !o.volatile || o.id != id || o.headers["a"] != "1" {
		t.Errorf("got %+v", o)
	}
}

// TestOptionsShareNoHeaders uses one option for two messages at once, as a caller that keeps its options would.
func TestOptionsShareNoHeaders(t *testing.T) {
	option := WithHeader("a", "1")
	var first, second sendOptions
	option.applyRequest(&first)
	option.applyPublish(&second)
	first.headers["a"] = "changed"
	if second.headers["a"] != "1" {
		t.Error("two messages share their headers")
	}
}
