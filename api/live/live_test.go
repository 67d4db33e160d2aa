package live

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func serve(method string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(method, "/", http.NoBody))
	return w
}

// Nothing but the page's own script and style runs, and it can talk to its own origin alone.
func TestPolicy(t *testing.T) {
	res := serve(http.MethodGet)
	body, header := res.Body.String(), res.Header()
	if !strings.HasPrefix(body, "<!DOCTYPE html>") || header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v %.40q", header, body)
	}
	policy := header.Get("Content-Security-Policy")
	for _, directive := range []string{
		"default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'",
		"base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'",
	} {
		if !strings.Contains(policy, directive) {
			t.Errorf("%q is not in %s", directive, policy)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("too much is allowed: %s", policy)
	}
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestHead(t *testing.T) {
	res := serve(http.MethodHead)
	if res.Body.Len() > 0 || res.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("%d bytes, %v", res.Body.Len(), res.Header())
	}
}

var (
	foreign = regexp.MustCompile(`(https?:)?//[a-z0-9.]+\.[a-z]+`)
	markup  = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\son[a-z]+="|\sstyle="`)
	stored  = regexp.MustCompile(`localStorage|sessionStorage|document\.cookie|indexedDB`)
)

// The file has one script and one style, nothing from elsewhere, no way for text to become markup, and no place to keep a key.
func TestFile(t *testing.T) {
	text := string(page)
	for _, tag := range []string{"<script>", "</script>", "<style>", "</style>"} {
		if n := strings.Count(text, tag); n != 1 {
			t.Errorf("%s stands there %d times", tag, n)
		}
	}
	const svg = "http://www.w3.org/2000/svg" // the name of a language, which nobody loads
	if found := foreign.FindAllString(strings.ReplaceAll(text, svg, ""), -1); len(found) > 0 {
		t.Errorf("from elsewhere: %q", found)
	}
	for _, what := range []*regexp.Regexp{markup, stored} {
		if found := what.FindAllString(text, -1); len(found) > 0 {
			t.Errorf("%q", found)
		}
	}
}

// Every field has its label, and every table says what it is.
func TestAccessible(t *testing.T) {
	text := string(page)
	body := text[strings.Index(text, "<body>"):strings.Index(text, "<script>")]
	fields := regexp.MustCompile(`<(input|select)\b`).FindAllString(body, -1)
	labels := regexp.MustCompile(`(?s)<label[^>]*>[^<]+<(input|select)\b`).FindAllString(body, -1)
	if len(fields) == 0 || len(fields) != len(labels) {
		t.Errorf("%d fields, %d labels", len(fields), len(labels))
	}
	if tables, captions := strings.Count(body, "<table"), strings.Count(body, "<caption>"); tables == 0 || tables != captions {
		t.Errorf("%d tables, %d captions", tables, captions)
	}
	if heads, scopes := strings.Count(body, "<th "), strings.Count(body, `<th scope="col"`); heads == 0 || heads != scopes {
		t.Errorf("%d heads of columns, %d say so", heads, scopes)
	}
}
