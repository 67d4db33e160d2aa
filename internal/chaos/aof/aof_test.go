package aof

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// resp is a command as the append-only file has it.
func resp(words ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b.String()
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	key := "p:q:{jobs}:job:a"
	text := resp("SELECT", "0") + resp("MULTI") + resp("HSETNX", key, "d", "spec") +
		resp("XADD", "p:q:{jobs}:wait:normal", "1-1", "j", "a") + resp("EXEC") +
		resp("HSET", key, "t", "5000", "w", "id.0a.w.1", "e", "2 1-1") + resp("HINCRBY", key, "t", "1") +
		resp("HSET", key, "t", "8000", "w", "id.0b.w.2") + resp("DEL", key) +
		resp("HSET", key, "d", "", "t", "8000", "s", "done", "r", "bytes\r\nof a result") +
		resp("HSET", "p:q:{jobs}:job:b", "s", "dead", "code", "dead", "r", "x") +
		resp("HSETNX", "p:q:{jobs}:job:d", "d", "spec") + resp("FLUSHALL") +
		resp("HSETNX", "p:q:{jobs}:job:c", "d", "spec") + resp("DEL", "p:q:{jobs}:job:c") + resp("HSET", key)[:9]
	if err := os.WriteFile(filepath.Join(dir, "appendonly.aof.1.incr.aof"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	jobs, err := Read(dir)
	if err != nil || len(jobs) != 4 {
		t.Fatalf("%v, %v", jobs, err)
	}
	if a := jobs["a"]; a.TakenIn != 1 || a.Done != 1 || a.DoneBy != 8000 || !slices.Equal(a.Starts, []Start{
		{5000, "w.1", time.UnixMilli(5)}, {8000, "w.2", time.UnixMilli(8)}}) || a.Dead != 0 {
		t.Errorf("%+v", a)
	}
	if b := jobs["b"]; b.Dead != 1 || b.Done != 0 || b.Code != "dead" || !b.Flushed || b.Lost || b.Deleted > 0 {
		t.Errorf("%+v", b)
	}
	if c := jobs["c"]; c.TakenIn != 1 || c.Deleted != 1 || c.Flushed {
		t.Errorf("%+v", c)
	}
	if d := jobs["d"]; !d.Flushed || !d.Lost {
		t.Errorf("%+v", d)
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("no file is no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "appendonly.aof.2.incr.aof"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil {
		t.Error("a file that was rewritten is no error")
	}
}

// Whatever stands in a file, it is read or refused.
func FuzzReadCommand(f *testing.F) {
	f.Add(resp("HSET", "q:{x}:job:a", "t", "1", "w", "w"))
	f.Add("*1\r\n$-1\r\n")
	f.Add("*99999999999\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.incr.aof"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		jobs, err := Read(dir)
		if (jobs == nil) == (err == nil) {
			t.Errorf("%v, %v", jobs, err)
		}
	})
}
