package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/ackbus/ackbus/internal/pieces"
)

const (
	// bodySlack is what a body may have besides the data.
	bodySlack = 64 << 10
	// readTimeout bounds the reading of one body.
	readTimeout = 30 * time.Second
	// drainBytes and drainTimeout bound what is read after a call was refused.
	drainBytes   = 4 << 20
	drainTimeout = 5 * time.Second
)

// An intake bounds the memory of all bodies together that are being read or worked on, beyond the first piece of each. What does not fit
// is refused.
type intake struct {
	limit int64
	taken atomic.Int64
}

func newIntake(limit int) *intake { return &intake{limit: int64(limit)} }

func (i *intake) take(n int64) error {
	if i.taken.Add(n) <= i.limit {
		return nil
	}
	i.taken.Add(-n)
	return &failure{http.StatusServiceUnavailable, "overloaded", "too many large bodies at a time; try again later"}
}

func (i *intake) give(n int64) { i.taken.Add(-n) }

// read reads the body of a request, most bytes at most. The caller calls done once it is through with the bytes.
func (i *intake) read(w http.ResponseWriter, r *http.Request, most int64) (body []byte, done func(), err error) {
	if r.ContentLength > most {
		return nil, nil, bodyTooLarge(most)
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(readTimeout)) // a recorder in a test has none
	var come pieces.Collection
	taken, err := i.collect(&come, http.MaxBytesReader(w, r.Body, most))
	if f, refused := errors.AsType[*failure](err); refused {
		return nil, nil, f
	}
	// Without this the deadline would strike while the request waits for its receipt, and look like a caller that hung up.
	_ = control.SetReadDeadline(time.Time{})
	if err != nil {
		i.give(taken)
		come.Drop()
		return nil, nil, readFailure(err, most)
	}
	body = come.MoveTo(make([]byte, 0, come.Len()))
	return body, func() { i.give(taken) }, nil
}

// collect reads all of r, and tells how much it took for that. The first piece is free, so that small bodies pass however many large ones
// are being read.
func (i *intake) collect(come *pieces.Collection, r io.Reader) (taken int64, err error) {
	for err == nil {
		if come.Full() && come.Len() > 0 {
			if err := i.take(pieces.Size); err != nil {
				i.give(taken)
				come.Drop()
				return 0, err
			}
			taken += pieces.Size
		}
		var n int
		n, err = r.Read(come.Room())
		come.Added(n)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return taken, err
}

func readFailure(err error, most int64) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return bodyTooLarge(most)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return badRequest("the body did not come within %v", readTimeout)
	}
	return badRequest("the body could not be read to its end: want as much as its headers announce")
}

func bodyTooLarge(most int64) error {
	return tooLarge("the body has more than the %d bytes that are allowed", most)
}

// drain reads what a caller that is refused still sends, as long as that is not much. A connection with unread bytes is reset when it is
// closed, and the answer is lost with it (RFC 9112, section 9.6); where more comes than is read here, the reader has the server wait before
// it closes, which net/http by itself does not for those who asked for Connection: close.
func drain(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return // the body comes only once it is asked for, by reading
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(drainTimeout)) // a recorder in a test has none
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, drainBytes)); err == nil {
		_ = control.SetReadDeadline(time.Time{})
	}
}
