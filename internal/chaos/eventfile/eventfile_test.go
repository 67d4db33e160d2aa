package eventfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ackbus/ackbus/internal/chaos/eventfile"
	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// What was written is read, without the line that a killed process did not finish, and each event knows where it stands.
func TestReadWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	f, err := eventfile.Create(dir, "one")
	if err != nil {
		t.Fatal(err)
	}
	f.Append(func() any { return 1 })
	f.Append(func() any { return 2 })
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "one"+eventfile.Extension)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(text, '3'), 0o600); err != nil {
		t.Fatal(err)
	}
	var places string
	got, err := eventfile.Read(dir, func(e *int, where string) { places += where + " " })
	if err != nil || len(got) != 2 || got[1] != 2 || places != "one.events:1 one.events:2 " {
		t.Errorf("%v, %v, %q", got, err, places)
	}
	if err := os.WriteFile(path, []byte("{\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := eventfile.Read(dir, func(*int, string) {}); err == nil {
		t.Error("a line that is no event was read")
	}
}

// Two processes never share a file, and what can't be written spoils it.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	f, err := eventfile.Create(dir, "one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eventfile.Create(dir, "one"); err == nil {
		t.Error("a file was written over")
	}
	f.Append(func() any { return func() {} })
	if f.Close() == nil {
		t.Error("an event that was not written is not told")
	}
}
