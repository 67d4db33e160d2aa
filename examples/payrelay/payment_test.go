package main

import (
	"errors"
	"strings"
	"testing"
)

const goodID = "0193a1b2-0000-7000-8000-000000000001"

func TestReadPayment(t *testing.T) {
	p, err := readPayment(strings.NewReader(`{"id":"` + goodID + `","merchant":"bakery","amount":1250,"currency":"EUR"}`))
	if err != nil {
		t.Fatal(err)
	}
	if p.ID.String() != goodID || p.Merchant != "bakery" || p.Amount != 1250 || p.Currency != "EUR" {
		t.Errorf("read %+v", p)
	}
}

func TestReadPaymentRefuses(t *testing.T) {
	// Each case changes one field of a good payment; "" takes it away.
	for _, c := range []struct{ field, value, says string }{
		{"id", ``, "id is missing; want a UUID"},
		{"id", `"order-17"`, `id is "order-17"; want a UUID`},
		{"id", `17`, "id is a JSON number; want a UUID"},
		{"id", `"00000000-0000-0000-0000-000000000000"`, "want a UUID"},
		{"merchant", ``, "merchant is missing"},
		{"merchant", `"Bakery & Sons"`, `merchant is "Bakery & Sons"; want a name of 1 to 64`},
		{"merchant", `"bakery\n"`, `merchant is "bakery\n"`},
		{"merchant", `"` + strings.Repeat("b", 65) + `"`, "want a name of 1 to 64"},
		{"amount", ``, "amount is 0 or missing; want a whole number"},
		{"amount", `0`, "amount is 0 or missing"},
		{"amount", `-5`, "amount is -5; want a whole number from 1 to 100000000"},
		{"amount", `100000001`, "amount is 100000001"},
		{"amount", `12.50`, "amount is a JSON number 12.50; want a whole number"},
		{"amount", `1e99`, "amount is a JSON number 1e99"},
		{"amount", `"1250"`, "amount is a JSON string; want a whole number"},
		{"amount", `null`, "amount is 0 or missing"},
		{"currency", ``, "currency is missing; want three capital letters"},
		{"currency", `"eur"`, `currency is "eur"; want three capital letters`},
	} {
		t.Run(c.field+"="+c.value, func(t *testing.T) {
			_, err := readPayment(strings.NewReader(changed(c.field, c.value)))
			wrong, ok := errors.AsType[*FieldError](err)
			if !ok || wrong.Field != c.field {
				t.Fatalf("got %v, want an error about %s", err, c.field)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want %q in it", err, c.says)
			}
		})
	}
}

// changed is a good payment but for one field.
func changed(field, value string) string {
	fields := []string{}
	for _, f := range [][2]string{{"id", `"` + goodID + `"`}, {"merchant", `"bakery"`}, {"amount", `1250`}, {"currency", `"EUR"`}} {
		if f[0] == field {
			f[1] = value
		}
		if f[1] != "" {
			fields = append(fields, `"`+f[0]+`":`+f[1])
		}
	}
	return "{" + strings.Join(fields, ",") + "}"
}

func TestReadPaymentRefusesWhatIsNoPayment(t *testing.T) {
	for _, c := range []struct{ body, says string }{
		{``, "EOF"},
		{`[]`, "array"},
		{`{"id":`, "EOF"},
		{`{"total":1}`, `unknown field "total"`},
		{changed("", "") + `{}`, "something follows"},
	} {
		_, err := readPayment(strings.NewReader(c.body))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: got %v, want %q in it", c.body, err, c.says)
		}
	}
}

func FuzzReadPayment(f *testing.F) {
	f.Add(changed("", ""))
	f.Add(`{"id":null,"amount":1e3}`)
	f.Fuzz(func(t *testing.T, body string) {
		p, err := readPayment(strings.NewReader(body))
		if err == nil && (p.Amount < 1 || p.Amount > maxAmount || !merchantName.MatchString(p.Merchant)) {
			t.Errorf("%q was read as %+v", body, p)
		}
	})
}
