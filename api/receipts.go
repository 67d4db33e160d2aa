package api

import (
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/ackbus/ackbus/bus"
)

const (
	// keptReceipts is how many receipts are kept.
	keptReceipts = 100
	// keptDeliveries is how many deliveries of each are kept.
	keptDeliveries = 10
	// keptText is how many bytes of a refusal's message are kept.
	keptText = 200
)

// A Recent is one entry of GET /v1/receipts.
type Recent struct {
	Number  uint64       `json:"number"` // counts the receipts of this API from 1
	At      time.Time    `json:"at"`     // when it was there, by the clock of this node
	Receipt *bus.Receipt `json:"receipt"`
}

// recent keeps the latest receipts of POST /v1/request and /v1/call, without what was replied: that is between the publisher and the
// client. Jobs have results in place of receipts.
type recent struct {
	mu      sync.Mutex // guards all below
	ring    [keptReceipts]Recent
	total   uint64
	refused uint64
	counts  bus.Counts
}

// note takes a receipt; nil is that of what was refused: nothing was sent.
func (k *recent) note(r *bus.Receipt) {
	if r == nil {
		k.refuse()
		return
	}
	k.keep(r)
}

// keep takes a receipt. The caller goes on using it.
func (k *recent) keep(r *bus.Receipt) {
	short := *r
	short.Deliveries = make([]bus.Delivery, min(len(r.Deliveries), keptDeliveries))
	copy(short.Deliveries, r.Deliveries)
	for i := range short.Deliveries {
		d := &short.Deliveries[i]
		d.Reply = bus.Body{}
		if d.Error != nil && len(d.Error.Code)+len(d.Error.Message) > keptText {
			d.Error = &bus.Rejection{Code: clip(d.Error.Code), Message: clip(d.Error.Message)}
		}
	}
	at := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.total++
	k.counts[r.Outcome]++
	k.ring[k.total%keptReceipts] = Recent{k.total, at, &short}
}

// refuse counts a request or a call that has no receipt.
func (k *recent) refuse() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.refused++
}

// receipts is the answer of GET /v1/receipts.
type receipts struct {
	Receipts []Recent   `json:"receipts"`
	Counts   bus.Counts `json:"counts"`
	Total    uint64     `json:"total"`
	Refused  uint64     `json:"refused"`
}

// since lists the newest first, limit at most, none with the number or a lower one.
func (k *recent) since(number uint64, limit int) receipts {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := receipts{Receipts: []Recent{}, Counts: k.counts, Total: k.total, Refused: k.refused}
	for n := k.total; n > number && n+keptReceipts > k.total && len(found.Receipts) < limit; n-- {
		found.Receipts = append(found.Receipts, k.ring[n%keptReceipts])
	}
	return found
}

// receipts tells the latest receipts of this node's API, and how many there were of each outcome.
func (a *API) receipts(w http.ResponseWriter, r *http.Request) error {
	values, err := parameters(r, "after", "limit")
	if err != nil {
		return err
	}
	after, err := wholeParameter(values, "after", 0, math.MaxInt, 0)
	if err != nil {
		return err
	}
	limit, err := wholeParameter(values, "limit", 1, keptReceipts, keptReceipts)
	if err != nil {
		return err
	}
	return writeJSON(w, r, http.StatusOK, a.recent.since(uint64(after), limit))
}
