package api_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/ackbus/ackbus/api"
)

// A contract is the document that every call of these tests is held against.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

func readContract(t *testing.T) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{doc, router}
}

// check holds a call against the document: the answer always, the request where it was not refused as bad.
func (c *contract) check(t *testing.T, req *http.Request, body string, a answer) {
	t.Helper()
	if req.Method == http.MethodHead { // answered as GET is, without the body
		return
	}
	route, params, err := c.router.FindRoute(req)
	if errors.Is(err, routers.ErrPathNotFound) || errors.Is(err, routers.ErrMethodNotAllowed) {
		if a.status != http.StatusNotFound && a.status != http.StatusMethodNotAllowed && a.status != http.StatusNoContent {
			t.Errorf("%s %s is not in the document and was answered with %d", req.Method, req.URL.Path, a.status)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	req.Body = io.NopCloser(strings.NewReader(body))
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}
	if a.status != http.StatusBadRequest && a.status != http.StatusRequestEntityTooLarge {
		if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil {
			t.Errorf("%s %s was accepted, and the document refuses it: %v", req.Method, req.URL.Path, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.status, Header: a.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true}}
	out.SetBodyBytes(a.body)
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("%s %s: %d %s: %v", req.Method, req.URL.Path, a.status, a.body, err)
	}
}

func TestDocumentListsEveryRoute(t *testing.T) {
	r := newRig(t, nil)
	var documented []string
	for path, item := range r.doc.doc.Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	served := api.Routes(r.api)
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented: %v\nserved:     %v", documented, served)
	}
}

func TestDocumentIsServed(t *testing.T) {
	r := newRig(t, nil)
	a := r.call(http.MethodGet, "/openapi.yaml", "")
	if a.status != http.StatusOK || !bytes.Equal(a.body, api.OpenAPI()) {
		t.Errorf("got %d and %d bytes", a.status, len(a.body))
	}
	doc, err := openapi3.NewLoader().LoadFromData(a.body)
	if err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("got OpenAPI %q, %v", doc.OpenAPI, err)
	}
}
