package acceptance

import (
	"net/http"
	"testing"
)

// A body that is announced as too large is refused in words, not by a reset, also for a caller that asked for Connection: close.
func TestLargeBodyOfCallerThatCloses(t *testing.T) {
	const size, tries = 256 << 20, 50
	c := newCluster(t)
	for range tries {
		request, err := http.NewRequest(http.MethodPost, c.gw1.http+"/v1/request", endless('x', size))
		if err != nil {
			t.Fatal(err)
		}
		request.ContentLength = size
		res, err := c.gw1.asking.Do(request) // DisableKeepAlives: Connection: close
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s", res.Status)
		}
	}
}
