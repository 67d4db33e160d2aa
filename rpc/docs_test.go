package rpc_test

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/rpc"
)

var goBlock = regexp.MustCompile("(?s)\n```go\n(.*?\n)```")

// The Go code of the page stands in the examples, which are run.
func TestGoOfThePage(t *testing.T) {
	page, examples := read(t, "../docs/rpc.md"), read(t, "example_test.go")
	blocks := goBlock.FindAllStringSubmatch(page, -1)
	if len(blocks) < 6 {
		t.Errorf("%d blocks of Go", len(blocks))
	}
	for _, b := range blocks {
		found := false
		for _, indent := range []string{"", "\t", "\t\t"} {
			text := indent + strings.ReplaceAll(strings.TrimSuffix(b[1], "\n"), "\n", "\n"+indent)
			found = found || strings.Contains(examples, text)
		}
		if !found {
			t.Errorf("not in example_test.go:\n%s", b[1])
		}
	}
}

var (
	codeConst = regexp.MustCompile(`Code = "([a-z_]+)"`)
	codeLine  = regexp.MustCompile("(?m)^\\| `([a-z_]+)`(?:, `([a-z_]+)`)? \\| ([0-9]+)(?:, ([0-9]+))? \\|")
)

// The table of codes is that of the code, and complete.
func TestCodesOfThePage(t *testing.T) {
	told := make(map[string]string)
	for _, m := range codeLine.FindAllStringSubmatch(read(t, "../docs/rpc.md"), -1) {
		told[m[1]] = m[3]
		if m[2] != "" {
			told[m[2]] = m[4]
			if m[4] == "" {
				told[m[2]] = m[3]
			}
		}
	}
	for line := range strings.SplitSeq(read(t, "code.go"), "\n") {
		m := codeConst.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if status := strconv.Itoa(rpc.Code(m[1]).HTTPStatus()); told[m[1]] != status {
			t.Errorf("%s is %s, the page says %q", m[1], status, told[m[1]])
		}
		delete(told, m[1])
	}
	if len(told) > 0 {
		t.Errorf("the page tells of %v", told)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}
