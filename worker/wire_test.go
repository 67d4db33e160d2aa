package worker

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus"
)

func TestSpecSurvives(t *testing.T) {
	for _, want := range []spec{
		{},
		{body: bus.JSON(1), priority: Low, attempts: 5, limit: 1800000, keep: 1, enqueued: 1 << 41},
		{body: bus.Bytes([]byte{0, 1, 255}), priority: High, attempts: 1 << 63},
	} {
		got, err := decodeSpec(string(want.encode()))
		if err != nil || got.priority != want.priority || got.attempts != want.attempts || got.limit != want.limit ||
			got.keep != want.keep || got.enqueued != want.enqueued || got.body.Format() != want.body.Format() ||
			!bytes.Equal(got.body.Raw(), want.body.Raw()) {
			t.Errorf("%+v came back as %+v, %v", want, got, err)
		}
	}
}

func TestNoticeSurvives(t *testing.T) {
	want := notice{id: "job", code: "no_funds", message: strings.Repeat("ü", 300), worker: "one", attempt: 3, waited: 1, ran: 1 << 40,
		body: bus.Msgpack("x")}
	got, err := decodeNotice(want.encode())
	if err != nil || got.id != want.id || got.code != want.code || got.message != want.message || got.worker != want.worker ||
		got.attempt != want.attempt || got.waited != want.waited || got.ran != want.ran || !bytes.Equal(got.body.Raw(), want.body.Raw()) {
		t.Errorf("%+v came back as %+v, %v", want, got, err)
	}
}

func TestHistory(t *testing.T) {
	text := "1700000000000 1700000001500 " + line("one\n", errors.New("said \"no\"\nand more")) + "0 1700000002000 " + line("two", errTest)
	got, err := decodeHistory(text)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if a := got[0]; a.Worker != "one\n" || a.Error != "said \"no\"\nand more" || a.Ended.Sub(a.Started) != 1500*time.Millisecond {
		t.Errorf("%+v", a)
	}
	if !got[1].Started.IsZero() {
		t.Errorf("%+v; want no start", got[1])
	}
}

func TestWorkerID(t *testing.T) {
	for name, text := range map[string]workerID{"a.b": "0190a0a0-0000-7000-8000-000000000000.12.a.b", "junk": "junk", "": ""} {
		if text.name() != name {
			t.Errorf("%q: name %q, want %q", text, text.name(), name)
		}
		if known := text.node().String() != "00000000-0000-0000-0000-000000000000"; known != (name == "a.b") {
			t.Errorf("%q: node %v", text, text.node())
		}
	}
}

func FuzzSpec(f *testing.F) {
	f.Add(string((&spec{body: bus.JSON("x"), attempts: 5}).encode()))
	f.Add("\x01\x01\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := decodeSpec(text)
		if err != nil {
			return
		}
		again, err := decodeSpec(string(s.encode()))
		if err != nil || again.attempts != s.attempts || !bytes.Equal(again.body.Raw(), s.body.Raw()) {
			t.Errorf("%q: %+v, then %+v, %v", text, s, again, err)
		}
	})
}

func FuzzNotice(f *testing.F) {
	f.Add((&notice{id: "job", worker: "one", body: bus.JSON("x")}).encode())
	f.Add([]byte("\x01\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, p []byte) {
		n, err := decodeNotice(p)
		if err != nil {
			return
		}
		again, err := decodeNotice(n.encode())
		if err != nil || again.id != n.id || again.message != n.message || !bytes.Equal(again.body.Raw(), n.body.Raw()) {
			t.Errorf("%q: %+v, then %+v, %v", p, n, again, err)
		}
	})
}

func FuzzHistory(f *testing.F) {
	f.Add("1700000000000 1700000001500 " + line("one", errTest))
	f.Add("x")
	f.Fuzz(func(t *testing.T, text string) {
		attempts, err := decodeHistory(text)
		if err == nil && len(attempts) > strings.Count(text, "\n")+1 {
			t.Errorf("%d attempts in %q", len(attempts), text)
		}
	})
}

func FuzzConnect(f *testing.F) {
	f.Add("redis://localhost:6379/0")
	f.Add("redis+sentinel://user:secret@a:1,b/mymaster?db=2&sentinel_password=s")
	f.Fuzz(func(t *testing.T, url string) {
		c, err := connect(url, commandConns)
		if err == nil {
			_ = c.Close()
		}
	})
}
