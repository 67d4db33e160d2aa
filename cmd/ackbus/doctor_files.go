package main

import (
	"fmt"

	"github.com/ackbus/ackbus/bus/relay"
)

// enoughFiles is for the 10,000 sockets that a node is made for, and what it needs besides.
const enoughFiles = 10_500

// openFiles says how many sockets this process could hold. A serve that is started in another way may have another limit.
func openFiles() relay.Finding {
	limit, known := fileLimit()
	f := relay.Finding{Check: "open files", Grade: relay.GradeGood}
	switch {
	case !known:
		f.Grade, f.Text = relay.GradeNote, "this system does not say how many a process may have"
	case limit < enoughFiles:
		f.Grade, f.Fix = relay.GradeFault, "ulimit -n 65536 before the start, or LimitNOFILE=65536 in the unit of systemd"
		f.Text = fmt.Sprintf("this process may have %d, and a node needs one for each socket", limit)
	default:
		f.Text = fmt.Sprintf("this process may have %d; a node needs one for each socket", limit)
	}
	return f
}
