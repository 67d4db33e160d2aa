package worker

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Attempt is one attempt at a job that did not succeed.
type Attempt struct {
	Worker  string // the readable name of the node
	Started time.Time
	Ended   time.Time // when it failed, or when it was noticed that its worker was gone
	Error   string
}

// MarshalJSON gives the attempt in its public shape; times as in RFC 3339.
func (a Attempt) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Worker  string    `json:"worker"`
		Started time.Time `json:"started"`
		Ended   time.Time `json:"ended"`
		Error   string    `json:"error"`
	}{a.Worker, a.Started, a.Ended, a.Error})
}

// decodeHistory reads the lines that scripts have noted: when it began and when it ended in ms since 1970, by whom and why.
func decodeHistory(text string) ([]Attempt, error) {
	var attempts []Attempt
	for line := range strings.Lines(text) {
		began, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		ended, rest, _ := strings.Cut(rest, " ")
		a := Attempt{Started: asTime(began), Ended: asTime(ended)}
		var says []string
		if err := json.Unmarshal([]byte(rest), &says); err != nil || len(says) != 2 {
			return attempts, fmt.Errorf("%w: history line %q", errMalformed, clip(line))
		}
		a.Worker, a.Error = says[0], says[1]
		attempts = append(attempts, a)
	}
	return attempts, nil
}

// asTime reads milliseconds since 1970; the zero time where there are none.
func asTime(ms string) time.Time {
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || n <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
