package relaytest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// keptOnes lists the files that are kept of the toy.
func keptOnes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/schedules/TestToy/of_some_kind/*")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A schedule that fails is kept, shrunk, and from then on played before any that is drawn, whatever is drawn then, until the fault is
// mended and ever after.
func TestAFailingScheduleIsKept(t *testing.T) {
	t.Chdir(t.TempDir())
	var y toy
	said := y.failure(10)
	files := keptOnes(t)
	const commit = ": commit it, so that it is played first from now on"
	if len(files) != 1 || !strings.HasSuffix(said, "\nkept as "+filepath.ToSlash(files[0])+commit) {
		t.Fatalf("kept %q, and said %q", files, said)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\n\"seed\": 3,\n\"wrong\": \"it broke\",\n\"steps\": [\n{\"N\":5},\n{\"N\":7}\n]\n}\n"; string(text) != want {
		t.Errorf("kept %s, want %s", text, want)
	}
	y = toy{}
	again := filepath.ToSlash(files[0]) + `, which was kept for "it broke": it broke, after` + "\n5\n7\n"
	if said := y.failure(3); !strings.HasPrefix(said, again) || len(y.drawn) > 0 {
		t.Errorf("played again, it drew %v and said %q", y.drawn, said)
	}
	y = toy{mended: true}
	if said := y.failure(10); said != "" || len(y.drawn) != 10 || !slices.Equal(y.played[0], []toyStep{{5}, {7}}) {
		t.Errorf("mended, it said %q and played %v first", said, y.played[0])
	}
	if len(keptOnes(t)) != 1 {
		t.Errorf("%d are kept", len(keptOnes(t)))
	}
}

// A seed that is named is played alone, and what is kept of it is what was.
func TestAScheduleIsKeptOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	var y toy
	y.failure(10)
	t.Setenv(seedVariable, "3")
	y = toy{}
	if said := y.failure(10); !strings.HasPrefix(said, "seed 3: ") || len(y.played[0]) != 5 || len(keptOnes(t)) != 1 {
		t.Errorf("said %q, played %v first, and kept %q", said, y.played[0], keptOnes(t))
	}
}

// What was kept of steps that are not what they were is not played as something else.
func TestAKeptScheduleThatCannotBeRead(t *testing.T) {
	t.Chdir(t.TempDir())
	file := filepath.FromSlash("testdata/schedules/TestToy/of_some_kind/old.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", `{"seed": 1, "steps": [{"M": 5}]}`, `{"seed": 1, "steps": [{"N": "5"}]}`, `{"seed": 1} {}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var y toy
		if said := y.failure(3); !strings.HasPrefix(said, "testdata/schedules/TestToy/of_some_kind/old.json: ") || len(y.played) > 0 {
			t.Errorf("%q: said %q and played %v", text, said, y.played)
		}
	}
}

// Where nothing can be kept the failure is told all the same, with what would have been kept.
func TestAScheduleThatCannotBeKept(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("testdata", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var y toy
	said := y.failure(10)
	if !strings.HasPrefix(said, "seed 3: it broke") || !strings.Contains(said, "it can't be kept: ") || !strings.Contains(said, `{"N":7}`) {
		t.Errorf("said %q", said)
	}
}
