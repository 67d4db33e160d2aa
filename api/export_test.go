package api

import (
	"strings"

	"github.com/ackbus/ackbus/bus"
)

// Routes lists what the API serves, for the test that holds it against the document.
func Routes(a *API) []string {
	var all []string
	for _, one := range a.routes() {
		all = append(all, one.method+" "+strings.TrimSuffix(one.path, "{$}")) // of the page: nothing below it
	}
	return all
}

// ReceiptStatus is the status of an answer with the receipt.
func ReceiptStatus(r *bus.Receipt, err error) int { return receiptStatus(r, err) }

// FailureOf is the status, the code and the message of an answer without a receipt.
func FailureOf(err error) (status int, code, message string) {
	f := failureOf(err)
	return f.status, f.code, f.message
}

// ReadMessage reads the body of a publishing.
func ReadMessage(body []byte) (bus.Address, bus.Body, error) {
	var m Message
	err := readObject(body, m.fields(DefaultMaxData))
	return m.To, m.Data, err
}

// ReadJob reads the body of an enqueueing.
func ReadJob(body []byte) (bus.Body, error) {
	var j Job
	err := readObject(body, j.fields(DefaultMaxData))
	return j.Data, err
}
