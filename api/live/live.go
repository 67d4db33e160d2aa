// Package live is the page of a node that shows its cluster live, in one file without foreign parts.
//
// It holds no secret and shows nothing by itself: it asks the routes of the HTTP API below its own address, once or less a second each,
// with the key that a person gives it, and keeps the key in its memory alone. What comes back reaches the document as text, never as
// markup; the Content-Security-Policy allows its own script and style, by their digests, and connections to its own origin, nothing else.
package live

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
)

//go:embed page.html
var page []byte

// Handler serves the page, whatever the path.
func Handler() http.Handler {
	policy := fmt.Sprintf("default-src 'none'; script-src %s; style-src %s; connect-src 'self'; img-src data:; base-uri 'none'; "+
		"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		digest("script"), digest("style"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(page)))
		h.Set("Cache-Control", "no-cache")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodHead {
			_, _ = w.Write(page) // a caller that hangs up misses it
		}
	})
}

// digest is the source expression for the content of the page's one element of that name.
func digest(element string) string {
	_, rest, _ := bytes.Cut(page, []byte("<"+element+">"))
	content, _, _ := bytes.Cut(rest, []byte("</"+element+">"))
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
