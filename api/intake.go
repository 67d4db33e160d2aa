package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

const (
	// bodySlack is what a body may have besides the data.
	bodySlack = 64 << 10
	// readTimeout bounds the reading of one body.
	readTimeout = 30 * time.Second
	// drainBytes and drainTimeout bound what is read after a call was refused.
	drainBytes   = 4 << 20
	drainTimeout = 5 * time.Second
	// intakeStep is how much memory is set aside at a time for a body whose length is not known.
	intakeStep = 16 << 10
)

// An intake bounds the memory of all bodies together that are being read or worked on. What does not fit is refused.
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
	step := int64(intakeStep)
	if r.ContentLength >= 0 {
		step = min(step, r.ContentLength+1) // one more, to see the end
	}
	var taken int64
	give := func() { i.give(taken) }
	limited := http.MaxBytesReader(w, r.Body, most)
	for {
		if err := i.take(step); err != nil {
			give()
			return nil, nil, err
		}
		taken += step
		if body, err = readStep(limited, body, step); err != nil {
			break
		}
	}
	// Without this the deadline would strike while the request waits for its receipt, and look like a caller that hung up.
	_ = control.SetReadDeadline(time.Time{})
	if !errors.Is(err, io.EOF) {
		give()
		return nil, nil, readFailure(err, most)
	}
	return body, give, nil
}

// readStep appends up to step bytes to body; its error is io.EOF once there are no more.
func readStep(r io.Reader, body []byte, step int64) ([]byte, error) {
	have := len(body)
	body = append(body, make([]byte, step)...)
	n, err := io.ReadFull(r, body[have:])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return body[:have+n], err
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
