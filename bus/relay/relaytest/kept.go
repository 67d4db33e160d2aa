package relaytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A kept schedule is one that failed, with its steps: they outlive a drawing that makes other ones of its seed. The seed decides what
// else happens by chance while they are played.
type kept[S any] struct {
	Seed  uint64 `json:"seed"`
	Wrong string `json:"wrong"` // what was wrong when it was kept, in one line
	Steps []S    `json:"steps"`
}

// keptIn is where the schedules of a test are kept.
func keptIn(test string) string {
	return filepath.Join("testdata", "schedules", filepath.FromSlash(test))
}

// playKept plays what is kept of the test, and fails it with the first that is wrong again.
func playKept[S any](tb testing.TB, play func(seed uint64, steps []S) string) {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(keptIn(tb.Name()), "*.json"))
	if err != nil {
		tb.Fatalf("schedules that are kept: %v", err)
	}
	for _, file := range files {
		k, err := readKept[S](file)
		if err != nil {
			tb.Fatalf("%s: %v; if steps are not what they were, bring it up to date, or remove it", filepath.ToSlash(file), err)
		}
		if wrong := play(k.Seed, k.Steps); wrong != "" {
			tb.Fatalf("%s, which was kept for %q: %s, after\n%s", filepath.ToSlash(file), k.Wrong, wrong, told(k.Steps))
		}
	}
}

// keep writes a schedule that fails to where playKept finds it, and returns what to say of that.
func keep[S any](test string, k kept[S], play func(seed uint64, steps []S) string) string {
	k.Wrong, _, _ = strings.Cut(k.Wrong, "\n")
	text, err := k.encode()
	if err != nil {
		return fmt.Sprintf("it can't be kept: %v", err)
	}
	sum := sha256.Sum256(text)
	file := filepath.Join(keptIn(test), fmt.Sprintf("%x.json", sum[:4]))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), os.WriteFile(file, text, 0o600)); err != nil {
		return fmt.Sprintf("it can't be kept: %v; it is\n%s", err, text)
	}
	if read, err := readKept[S](file); err != nil || play(read.Seed, read.Steps) == "" {
		return fmt.Sprintf("kept as %s, but as it is read from there it does not fail: %v", filepath.ToSlash(file), err)
	}
	return fmt.Sprintf("kept as %s: commit it, so that it is played first from now on", filepath.ToSlash(file))
}

// encode writes each step in a line of its own.
func (k kept[S]) encode() ([]byte, error) {
	wrong, err := json.Marshal(k.Wrong)
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "{\n\"seed\": %d,\n\"wrong\": %s,\n\"steps\": [", k.Seed, wrong)
	for i, s := range k.Steps {
		line, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteByte('\n')
		text.Write(line)
	}
	text.WriteString("\n]\n}\n")
	return text.Bytes(), nil
}

// readKept refuses what the steps do not know any more: it would be played as something else.
func readKept[S any](file string) (k kept[S], err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return k, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil {
		return k, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return k, errors.New("something follows the schedule")
	}
	return k, nil
}
