package api

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.yaml
var openapi []byte

// OpenAPI is the API's description, an OpenAPI 3.1 document in YAML; it is served at /openapi.yaml.
func OpenAPI() []byte { return openapi }

func document(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodHead {
		_, _ = w.Write(openapi) // a caller that hangs up misses it
	}
	return nil
}
