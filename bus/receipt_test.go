package bus

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func testID() uuid.UUID { return uuid.MustParse("0193b5a8-7c5e-7d2b-9f43-1c2d3e4f5a6b") }

func testReceipt() *Receipt {
	return &Receipt{
		ID: testID(), To: User("42"), Event: "payment.settled", Outcome: OutcomeConfirmed, Nodes: 1, Expected: 1,
		Counts: Counts{OutcomeConfirmed: 1}, Elapsed: 3214*time.Microsecond + 999,
		Deliveries: []Delivery{{
			Node: "gw-1", NodeID: uuid.MustParse("0193b5a8-7c5e-7d2b-9f43-000000000001"), Socket: testSocket,
			User: "42", Carrier: CarrierWebSocket, Outcome: OutcomeConfirmed,
			Reply: JSON(map[string]bool{"ok": true}), Written: 810 * time.Microsecond, Settled: 3100 * time.Microsecond,
		}},
	}
}

func wantJSON(t *testing.T, v any, want string) {
	t.Helper()
	got, err := json.Marshal(v)
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestReceiptJSON(t *testing.T) {
	wantJSON(t, testReceipt(), `{"id":"0193b5a8-7c5e-7d2b-9f43-1c2d3e4f5a6b","to":"user:42","event":"payment.settled",`+
		`"outcome":"confirmed","require":"any","nodes":1,"expected":1,"counts":{"confirmed":1},"elapsed_ms":3.214,`+
		`"deliveries":[{"node":"gw-1","node_id":"0193b5a8-7c5e-7d2b-9f43-000000000001","socket":"`+testSocket+`","user":"42",`+
		`"carrier":"websocket","outcome":"confirmed","reply":{"ok":true},"written_ms":0.81,"settled_ms":3.1}]}`)
}

func TestReceiptJSONOfNobody(t *testing.T) {
	r := &Receipt{ID: testID(), To: Everyone(), Event: "e", Outcome: OutcomeNoReceiver, Require: AtLeast(3)}
	wantJSON(t, r, `{"id":"0193b5a8-7c5e-7d2b-9f43-1c2d3e4f5a6b","to":"all","event":"e","outcome":"no_receiver","require":"3",`+
		`"nodes":0,"expected":0,"counts":{},"elapsed_ms":0,"deliveries":[]}`)
}

func TestDeliveryJSON(t *testing.T) {
	for name, c := range map[string]struct {
		delivery Delivery
		want     string
	}{
		"rejected": {Delivery{Node: "n", Carrier: CarrierHandler, Outcome: OutcomeRejected,
			Error: &Rejection{"no_funds", "the account is empty"}},
			`{"node":"n","carrier":"handler","outcome":"rejected","error":{"code":"no_funds","message":"the account is empty"}}`},
		"a code alone": {Delivery{Outcome: OutcomeRejected, Error: &Rejection{Code: "busy"}},
			`{"outcome":"rejected","error":{"code":"busy"}}`},
		"unknown where": {Delivery{Outcome: OutcomeUnknown}, `{"outcome":"unknown"}`},
		"unknown, named": {Delivery{Node: "gw-2", Outcome: OutcomeUnknown, Written: time.Nanosecond},
			`{"node":"gw-2","outcome":"unknown","written_ms":0}`},
		"null reply":    {Delivery{Outcome: OutcomeConfirmed, Reply: JSON(nil)}, `{"outcome":"confirmed","reply":null}`},
		"no reply":      {Delivery{Outcome: OutcomeConfirmed}, `{"outcome":"confirmed"}`},
		"msgpack reply": {Delivery{Outcome: OutcomeConfirmed, Reply: Msgpack([]int{1})}, `{"outcome":"confirmed","reply":[1]}`},
		"raw reply": {Delivery{Outcome: OutcomeConfirmed, Reply: Bytes([]byte("hi"))},
			`{"outcome":"confirmed","reply":{"base64":"aGk="}}`},
		"JSON has no NaN": {Delivery{Outcome: OutcomeConfirmed, Reply: Msgpack(math.NaN())},
			`{"outcome":"confirmed","reply":{"base64":"y3/4AAAAAAAB"}}`},
		"broken JSON from elsewhere": {Delivery{Outcome: OutcomeConfirmed, Reply: jsonOf("{")},
			`{"outcome":"confirmed","reply":{"base64":"ew=="}}`},
	} {
		t.Run(name, func(t *testing.T) { wantJSON(t, c.delivery, c.want) })
	}
}

func TestOutcomeNames(t *testing.T) {
	want := "claimed written confirmed rejected unconfirmed closed dropped expired unknown too_few no_receiver"
	got := make([]string, 0, outcomes)
	for i, o := range Outcomes() {
		if int(o) != i {
			t.Errorf("outcome %d stands in place %d", o, i)
		}
		got = append(got, o.String())
	}
	if strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if s := outcomes.String(); s != "outcome(11)" {
		t.Errorf("an outcome that there is not reads %q", s)
	}
}

func TestCountsJSON(t *testing.T) {
	wantJSON(t, Counts{OutcomeRejected: 3, OutcomeConfirmed: 57, OutcomeTooFew: 0}, `{"confirmed":57,"rejected":3}`)
}

func TestReceiptString(t *testing.T) {
	want := "0193b5a8-7c5e-7d2b-9f43-1c2d3e4f5a6b payment.settled to user:42: confirmed (1 of 1 confirmed, 1 nodes, 3.2 ms)"
	if got := testReceipt().String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
