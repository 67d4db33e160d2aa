package main

import (
	"bytes"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), redistest.Shared(t).URL(), &out); err != nil {
		t.Fatal(err)
	}
	if want := "the sum is 6\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}
