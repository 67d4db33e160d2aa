package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/google/uuid"
)

// maxAmount keeps a slipped finger from becoming a payment.
const maxAmount = 100_000_000

// A Payment is what is posted, and what the merchant gets.
type Payment struct {
	ID       uuid.UUID `json:"id"` // chosen by who posts, so that it can be posted again
	Merchant string    `json:"merchant"`
	Amount   int64     `json:"amount"` // in the currency's smallest unit: 1250 is 12.50 EUR
	Currency string    `json:"currency"`
}

// wants says what is allowed in each field.
var wants = map[string]string{
	"id":       "a UUID of your choice; the same one again is the same payment",
	"merchant": "a name of 1 to 64 letters a to z, digits and hyphens",
	"amount":   fmt.Sprintf("a whole number from 1 to %d, in the currency's smallest unit", maxAmount),
	"currency": "three capital letters, as in EUR",
}

var (
	merchantName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
	currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)
)

// A FieldError names the field of a payment that is wrong, and says what is allowed there.
type FieldError struct {
	Field string
	Got   string
}

// Error is one sentence for who posted the payment.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s is %s; want %s", e.Field, e.Got, wants[e.Field])
}

// readPayment reads exactly one payment. Its errors are the sender's fault and say what to change.
func readPayment(r io.Reader) (Payment, error) {
	var posted struct {
		ID       string `json:"id"` // as text, so that the error can name the field
		Merchant string `json:"merchant"`
		Amount   int64  `json:"amount"`
		Currency string `json:"currency"`
	}
	d := json.NewDecoder(r)
	d.DisallowUnknownFields() // a misspelt field is an error, not a default
	if err := d.Decode(&posted); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return Payment{}, &FieldError{wrong.Field, "a JSON " + wrong.Value}
		}
		return Payment{}, fmt.Errorf("not a payment: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Payment{}, errors.New("not a payment: something follows the JSON object")
	}
	id, err := uuid.Parse(posted.ID)
	p := Payment{ID: id, Merchant: posted.Merchant, Amount: posted.Amount, Currency: posted.Currency}
	switch {
	case err != nil || id == uuid.Nil:
		return Payment{}, &FieldError{"id", shown(posted.ID)}
	case !merchantName.MatchString(p.Merchant):
		return Payment{}, &FieldError{"merchant", shown(p.Merchant)}
	case p.Amount < 1 || p.Amount > maxAmount:
		return Payment{}, &FieldError{"amount", shownAmount(p.Amount)}
	case !currencyCode.MatchString(p.Currency):
		return Payment{}, &FieldError{"currency", shown(p.Currency)}
	}
	return p, nil
}

// shown quotes text from outside, shortened.
func shown(s string) string {
	if s == "" {
		return "missing"
	}
	return fmt.Sprintf("%.40q", s)
}

func shownAmount(n int64) string {
	if n == 0 {
		return "0 or missing"
	}
	return strconv.FormatInt(n, 10)
}
