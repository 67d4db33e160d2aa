package chaos

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every fault stands in the table of faults, by its name, or by its place and what is done to it.
func TestFaultsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds() {
		for part := range strings.SplitSeq(k.name, ": ") {
			if !strings.Contains(string(text), part) {
				t.Errorf("docs/faults.md does not say %q of %q", part, k.name)
			}
		}
	}
}

var row = regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z/]+): (Test[A-Za-z0-9]+)` \\| [^|]+ \\| [^|]+ \\|$")

// The table of faults with tests of their own has at least forty rows, and the tests exist.
func TestFaultsHaveTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := row.FindAllStringSubmatch(string(text), -1)
	if len(rows) < 40 {
		t.Errorf("%d faults", len(rows))
	}
	for _, m := range rows {
		files, err := filepath.Glob(filepath.Join("..", "..", m[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		declared := func(file string) bool {
			code, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(code), "\nfunc "+m[2]+"(t *testing.T)")
		}
		if !slices.ContainsFunc(files, declared) {
			t.Errorf("there is no %s: %s", m[1], m[2])
		}
	}
}
