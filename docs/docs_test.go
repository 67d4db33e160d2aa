// Package docs_test holds the documents against the code: what they name exists, and what they quote is current.
package docs_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// documents are the paths of all documents, from this directory.
func documents(t *testing.T) []string {
	t.Helper()
	all := []string{"../README.md", "../CHANGELOG.md"}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(p)
}

var (
	fence   = regexp.MustCompile("(?s)```[a-z]*\n.*?\n```")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// anchor is what a heading's link ends with.
func anchor(title string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
	return kept
}

func anchors(text string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		all = append(all, anchor(m[1]))
	}
	return all
}

// Links within the repository lead somewhere, also to the heading.
func TestLinks(t *testing.T) {
	for _, path := range documents(t) {
		text := read(t, path)
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, section, _ := strings.Cut(m[1], "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s: %v", path, m[1], err)
			} else if section != "" && !slices.Contains(anchors(read(t, target)), section) {
				t.Errorf("%s: link to %s: no such heading", path, m[1])
			}
		}
	}
}

var namedTest = regexp.MustCompile("`([a-z/]+): (Test[A-Za-z0-9]+)`")

// The tests that are said to hold the guarantees exist.
func TestNamedTests(t *testing.T) {
	found := namedTest.FindAllStringSubmatch(read(t, "guarantees.md"), -1)
	if len(found) < 50 {
		t.Errorf("%d tests are named", len(found))
	}
	for _, m := range found {
		files, err := filepath.Glob(filepath.Join("..", m[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		declared := slices.ContainsFunc(files, func(file string) bool {
			return strings.Contains(read(t, file), "\nfunc "+m[2]+"(t *testing.T)")
		})
		if !declared {
			t.Errorf("guarantees.md names %s: %s, which does not exist", m[1], m[2])
		}
	}
}

var goBlock = regexp.MustCompile("(?s)\n```go\n(.*?\n)```")

// The Go code of the README stands in the quickstarts, which are compiled and run.
func TestGoOfReadme(t *testing.T) {
	var programs strings.Builder
	for _, path := range []string{"quickstart/main.go", "quickstart/methods/main.go", "quickstart/jobs/main.go"} {
		programs.WriteString(read(t, path))
	}
	program := strings.ReplaceAll(programs.String(), "\n\t", "\n")
	blocks := goBlock.FindAllStringSubmatch(read(t, "../README.md"), -1)
	if len(blocks) == 0 {
		t.Error("the README shows no Go")
	}
	for _, b := range blocks {
		if !strings.Contains(program, b[1]) {
			t.Errorf("in none of the quickstarts:\n%s", b[1])
		}
	}
}

var commandFlags = regexp.MustCompile("(?ms)^## ackbus ([a-z]+)\n+```text\n(.*?)\n```")

// The flags of each command are those that it tells itself.
func TestFlags(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "ackbus")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/ackbus").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	commands := commandFlags.FindAllStringSubmatch(read(t, "cli.md"), -1)
	if len(commands) < 8 {
		t.Errorf("cli.md tells the flags of %d commands", len(commands))
	}
	for _, c := range commands {
		help, err := exec.CommandContext(t.Context(), binary, c[1], "--help").Output()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(help, []byte("\nFlags:\n"+c[2]+"\n\n")) {
			t.Errorf("the flags of %s in cli.md are not those of:\n%s", c[1], help)
		}
	}
}

var metric = regexp.MustCompile("[\"`](ackbus_[a-z_]+)[\"`{]")

// Every metric of the code is explained, and every one that is explained exists.
func TestMetrics(t *testing.T) {
	names := func(text string) (all []string) {
		for _, m := range metric.FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
		return all
	}
	var inCode []string
	for _, dir := range []string{"bus", "bus/relay", "gateway", "rpc", "worker", "api", "cmd/ackbus"} {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				inCode = append(inCode, names(read(t, file))...)
			}
		}
	}
	inDocs := names(read(t, "operations.md"))
	for _, name := range inCode {
		if !slices.Contains(inDocs, name) {
			t.Errorf("operations.md does not explain %s", name)
		}
	}
	for _, name := range inDocs {
		if !slices.Contains(inCode, name) {
			t.Errorf("operations.md explains %s, which does not exist", name)
		}
	}
}
