package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// Every word of 1 to length letters is in exactly one batch, whatever the size of batches.
func TestBatchesHoldEveryWordOnce(t *testing.T) {
	for _, c := range []struct {
		alphabet string
		length   int
		batch    uint64
		total    uint64
	}{{"a", 4, 1, 4}, {"ab", 1, 5, 2}, {"ab", 4, 3, 30}, {"abc", 5, 7, 363}, {"äö€", 3, 1000, 39}, {"0123456789", 3, 1, 1110}} {
		s, err := newSearch(hashOf("x"), c.alphabet, c.length, c.batch)
		if err != nil {
			t.Fatal(err)
		}
		if s.total() != c.total {
			t.Errorf("%+v: %d words", c, s.total())
		}
		seen := make(map[string]bool)
		for b := range s.batches() {
			for word := range b.words() {
				w := string(word)
				if n := len([]rune(w)); seen[w] || n < 1 || n > c.length || strings.Trim(w, c.alphabet) != "" {
					t.Fatalf("%+v: the word %q", c, w)
				}
				seen[w] = true
			}
		}
		if uint64(len(seen)) != c.total {
			t.Errorf("%+v: %d words in the batches", c, len(seen))
		}
	}
}

func TestHashBatch(t *testing.T) {
	b := batch{Hash: hashOf("cab"), Alphabet: "abc", From: 0, Count: 39}
	if a, err := hashBatch(t.Context(), b); err != nil || a.Found != "cab" || a.Tried == 0 || a.Tried >= b.Count {
		t.Errorf("%+v, %v", a, err)
	}
	b.Count = 5
	if a, err := hashBatch(t.Context(), b); err != nil || a.Found != "" || a.Tried != 5 {
		t.Errorf("%+v, %v", a, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errFound)
	b.Hash, b.Alphabet, b.Count = hashOf("not to be found"), "abcdefgh", 1<<40
	if _, err := hashBatch(ctx, b); !errors.Is(err, errFound) {
		t.Errorf("%v; want the context's cause", err)
	}
	if _, err := hashBatch(t.Context(), batch{}); err == nil {
		t.Error("an empty batch was hashed")
	}
}

func TestUsage(t *testing.T) {
	for args, word := range map[string]string{
		"":               "crack or work",
		"fly":            `"fly"`,
		"crack":          "-hash",
		"crack -hash 12": "40 hexadecimal",
		"crack -hash " + hashOf("x") + " -alphabet aa": "each once",
		"crack -hash " + hashOf("x") + " -length 0":    "-length",
		"crack -hash " + hashOf("x") + " -length 14":   "numbered",
		"crack -hash " + hashOf("x") + " -batch 0":     "-batch",
		"crack -hash " + hashOf("x") + " -ahead 0":     "-ahead",
		"crack -hash " + hashOf("x") + " more":         `"more"`,
		"work -concurrency 0":                          "-concurrency",
		"work -nonsense":                               "nonsense",
	} {
		var out, errOut bytes.Buffer
		code := execute(t.Context(), strings.Fields(args), &out, &errOut)
		if code != 2 || out.Len() > 0 || !strings.Contains(errOut.String(), word) {
			t.Errorf("%s: exit code %d, said %s", args, code, errOut.String())
		}
	}
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out, 200)
	b.add("w1", 50)
	b.add("w2", 50)
	b.draw()
	if out.Len() > 0 {
		t.Errorf("drawn where nobody sees it: %q", out.String())
	}
	line := b.line(time.Second)
	if want := strings.Repeat("#", 20) + strings.Repeat(".", 20); !strings.Contains(line, want) || !strings.Contains(line, "50.0 %") ||
		!strings.HasSuffix(line, "answered: 2") {
		t.Errorf("%q", line)
	}
	b.end()
	if said := out.String(); !strings.Contains(said, "tried 100 of 200 words") || !strings.Contains(said, "w1 hashed 1 batches") {
		t.Errorf("said %q", said)
	}
}
