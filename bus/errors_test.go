package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestOutcomeErr(t *testing.T) {
	want := map[Outcome]error{OutcomeNoReceiver: ErrNoReceiver, OutcomeRejected: ErrRejected, OutcomeUnconfirmed: ErrUnconfirmed,
		OutcomeClosed: ErrClosed, OutcomeDropped: ErrDropped, OutcomeExpired: ErrExpired,
		OutcomeUnknown: ErrUnknown, OutcomeTooFew: ErrTooFew}
	for _, o := range append(Outcomes(), outcomes, 255) {
		if got := o.Err(); !errors.Is(got, want[o]) {
			t.Errorf("%v: got %v, want %v", o, got, want[o])
		}
	}
}

func TestReceiptErrorMatches(t *testing.T) {
	cause := errors.New("the user went away")
	receipt := &Receipt{Outcome: OutcomeUnknown, To: User("42"), Event: "e"}
	err := fmt.Errorf("charging: %w", &ReceiptError{Receipt: receipt, Cause: cause})
	for _, target := range []error{ErrUnknown, cause} {
		if !errors.Is(err, target) {
			t.Errorf("%v does not match %v", err, target)
		}
	}
	for _, other := range []error{ErrNoReceiver, ErrRejected, ErrUnconfirmed, ErrUnavailable, context.Canceled} {
		if errors.Is(err, other) {
			t.Errorf("%v matches %v", err, other)
		}
	}
	if got, ok := errors.AsType[*ReceiptError](err); !ok || got.Receipt != receipt {
		t.Errorf("the receipt is not in %v", err)
	}
}

func TestReceiptErrorWithoutCause(t *testing.T) {
	err := &ReceiptError{Receipt: &Receipt{Outcome: OutcomeTooFew}}
	if !errors.Is(err, ErrTooFew) || len(err.Unwrap()) != 1 {
		t.Errorf("unwraps to %v, want ErrTooFew alone", err.Unwrap())
	}
}

func TestReceiptErrorText(t *testing.T) {
	receipt := &Receipt{Outcome: OutcomeRejected, To: User("42"), Event: "payment.settled", Deliveries: []Delivery{
		{Outcome: OutcomeConfirmed},
		{Outcome: OutcomeRejected, Error: &Rejection{"no_funds", "the account is empty"}},
		{Outcome: OutcomeRejected, Error: &Rejection{"busy", ""}},
	}}
	got := (&ReceiptError{Receipt: receipt, Cause: context.DeadlineExceeded}).Error()
	want := "bus: request payment.settled to user:42: rejected: no_funds: the account is empty: context deadline exceeded"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestRejection(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Rejection
		text string
	}{
		{Reject("no_funds", "empty"), Rejection{"no_funds", "empty"}, "no_funds: empty"},
		{Reject("busy", ""), Rejection{Code: "busy"}, "busy"},
		{fmt.Errorf("outer: %w", Reject("busy", "try later")), Rejection{"busy", "try later"}, "outer: busy: try later"},
		{errors.New("disk full"), Rejection{CodeRejected, "disk full"}, "disk full"},
		{Reject("", "no code"), Rejection{CodeRejected, "no code"}, "rejected: no code"},
	} {
		if got := rejectionOf(c.err); got != c.want || c.err.Error() != c.text {
			t.Errorf("%v: got %+v, want %+v; text %q", c.err, got, c.want, c.err)
		}
	}
}

func TestErrorsSayWhereTheyComeFrom(t *testing.T) {
	for _, err := range []error{ErrUnavailable, ErrTooLarge, ErrBusClosed, ErrOverloaded, ErrIDConflict, ErrAddress, ErrBody} {
		if !strings.HasPrefix(err.Error(), "bus: ") {
			t.Errorf("%q does not begin with bus:", err)
		}
	}
}
