package relay_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/bus/relay"
)

func ExampleDiagnose() {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	findings, err := relay.Diagnose(context.Background(), "redis://"+server.Addr(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range findings {
		if f.Check == "server" || f.Check == "transaction" {
			fmt.Printf("%s: %s\n", f.Grade, f.Check)
		}
	}
	// Output:
	// fault: server
	// ok: transaction
}
