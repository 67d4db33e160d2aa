package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/ackbus/ackbus/api"
	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/bus/relay"
)

// A publisher posts a message over HTTP; a handler of the bus confirms it.
func ExampleNew() {
	ctx := context.Background()
	b, err := bus.New(ctx, relay.NewHub(nil).Relay(), &bus.Options{Name: "gw-1"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = b.Close() }()
	_, err = b.Subscribe(ctx, bus.Topic("payments"), func(context.Context, *bus.Message) (bus.Body, error) {
		return bus.JSON("booked"), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler, err := api.New(b, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/v1/request",
		strings.NewReader(`{"to":"topic:payments","event":"payment.settled","data":{"amount":100}}`)))
	fmt.Println(answer.Code, strings.Contains(answer.Body.String(), `"reply":"booked"`))
	// Output: 200 true
}
