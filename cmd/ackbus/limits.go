package main

import (
	"errors"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/ackbus/ackbus/gateway"
)

// limitFlags bound what clients may take of a node.
type limitFlags struct {
	connections   int
	frame         int
	queueMessages int
	queueBytes    int
	groups        int
	rate          float64
	handshakeRate float64
	admitRate     float64
	apiRate       float64
}

func (l *limitFlags) add(flags *pflag.FlagSet) {
	parsed(flags, &l.connections, "max-connections", "n", "0", "how many sockets may be open; 0: no limit", count)
	parsed(flags, &l.frame, "max-frame", "bytes", "1048576", "how large a client's frame may be", atLeastOne)
	parsed(flags, &l.groups, "max-groups", "n", "100", "how many groups one socket may be in", atLeastOne)
	parsed(flags, &l.queueMessages, "queue-messages", "n", "4096", "how many messages may wait for one socket", atLeastOne)
	parsed(flags, &l.queueBytes, "queue-bytes", "bytes", "1048576", "how many bytes may wait for one socket", atLeastOne)
	parsed(flags, &l.rate, "rate", "n", "0", "how many frames a second a client may send, acknowledgements aside; 0: no limit", perSecond)
	parsed(flags, &l.handshakeRate, "handshake-rate", "n", "0", "how many sockets a second one remote address may open; 0: no limit",
		perSecond)
	parsed(flags, &l.admitRate, "admit-rate", "n", "0", "how many sockets a second the node takes, while others wait for their turn; "+
		"0: 500 for each processor, -1: no limit", perSecondOrOff)
	parsed(flags, &l.apiRate, "api-rate", "n", "0", "how many HTTP calls a second each API key may make; 0: no limit", perSecond)
}

func (l *limitFlags) apply(o *gateway.Options) {
	o.MaxConnections, o.MaxFrame, o.MaxGroups = l.connections, l.frame, l.groups
	o.QueueMessages, o.QueueBytes = l.queueMessages, l.queueBytes
	o.Rate, o.HandshakeRate, o.AdmitRate = l.rate, l.handshakeRate, l.admitRate
}

func count(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, errors.New("want a whole number, 0 or more")
	}
	return n, nil
}

func atLeastOne(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, errors.New("want a whole number, 1 or more")
	}
	return n, nil
}

// perSecondOrOff is perSecond, but for -1.
func perSecondOrOff(text string) (float64, error) {
	if text == "-1" {
		return -1, nil
	}
	f, err := perSecond(text)
	if err != nil {
		return 0, errors.New("want a number from 0 to 1e9, or -1")
	}
	return f, nil
}

func perSecond(text string) (float64, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f >= 0 && f <= 1e9) { // written so that NaN is refused
		return 0, errors.New("want a number from 0 to 1e9")
	}
	return f, nil
}
