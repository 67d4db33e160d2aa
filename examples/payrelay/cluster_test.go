package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ackbus/ackbus/internal/leak"
	"github.com/ackbus/ackbus/internal/redistest"
)

// nodeEnv makes the test binary the program itself, so that a node is a process of its own with the race detector in it.
const nodeEnv = "PAYRELAY_TEST_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(nodeEnv) != "" {
		main()
		return
	}
	leak.Main(m)
}

// needTools fails the test where Lua or curl is missing: without them it would show nothing.
func needTools(tb testing.TB) {
	tb.Helper()
	if out, err := exec.Command("lua5.4", "-e", `require "socket"`).CombinedOutput(); err != nil {
		tb.Fatalf("lua5.4 with its socket library is needed: apt-get install lua5.4 lua-socket\n%v\n%s", err, out)
	}
	if _, err := exec.LookPath("curl"); err != nil {
		tb.Fatalf("curl is needed: apt-get install curl\n%v", err)
	}
}

// A node is one payrelay process.
type node struct {
	*program
	web, tcp string
}

// startNode starts a node that waits as long as patience says for a merchant's answer.
func startNode(tb testing.TB, redis *redistest.Server, name, patience string) *node {
	tb.Helper()
	p := start(tb, name, []string{nodeEnv + "=1"}, os.Args[0], "-name", name, "-redis", redis.URL(), "-patience", patience,
		"-http", "127.0.0.1:0", "-tcp", "127.0.0.1:0", "-merchants", "merchants.json")
	addresses := p.await(`msg=ready node=\S+ http=(\S+) tcp=(\S+)`)
	return &node{p, addresses[1], addresses[2]}
}

// A merchant is one back end in Lua.
type merchant struct {
	*program
	ledger       string
	node, socket string // where it connected first
}

// startMerchant returns once the back end is connected to the first of the nodes.
func startMerchant(tb testing.TB, name, mode, ledger string, nodes ...*node) *merchant {
	tb.Helper()
	addresses := make([]string, len(nodes))
	for i, n := range nodes {
		addresses[i] = n.tcp
	}
	p := start(tb, name, nil, "lua5.4", "merchant.lua", "--token", name+"-demo-token", "--mode", mode,
		"--ledger", ledger, "--gateway", strings.Join(addresses, ","))
	m := p.await(`connected to (\S+) as ` + name + `, socket (\S+)`)
	return &merchant{p, ledger, m[1], m[2]}
}

func newLedger(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "ledger")
}

// booked is how many lines the ledger holds for a payment.
func (m *merchant) booked(id string) int {
	m.tb.Helper()
	p, err := os.ReadFile(m.ledger)
	if err != nil {
		m.tb.Fatal(err)
	}
	return strings.Count(string(p), id+" ")
}

// An answer is what curl got.
type answer struct {
	status int
	text   string

	ID         string
	Outcome    string
	Elapsed    float64 `json:"elapsed_ms"`
	Deliveries []delivery
	Error      problem
}

type delivery struct {
	Node, Socket, User, Carrier, Outcome string
	Reply                                struct {
		Booking int
		Again   bool
	}
	Error   struct{ Code, Message string }
	Written float64 `json:"written_ms"`
	Settled float64 `json:"settled_ms"`
}

// curl sends a body to the node's /payments.
func (n *node) curl(body string, args ...string) answer {
	n.tb.Helper()
	args = append([]string{"-sS", "-w", "\n%{http_code}", "-d", body}, append(args, "http://"+n.web+"/payments")...)
	out, err := exec.Command("curl", args...).Output()
	if err != nil {
		n.tb.Fatalf("curl: %v", err)
	}
	text, status, _ := strings.Cut(string(out), "\n\n") // the body ends in a newline of its own
	a := answer{text: text}
	if a.status, err = strconv.Atoi(status); err != nil {
		n.tb.Fatalf("curl printed %q", out)
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		n.tb.Fatalf("the answer is not JSON: %v\n%s", err, text)
	}
	return a
}

// pay posts a payment of 12.50 EUR.
func (n *node) pay(id, to string) answer {
	n.tb.Helper()
	return n.curl(`{"id":"` + id + `","merchant":"` + to + `","amount":1250,"currency":"EUR"}`)
}

func newPayment() string { return uuid.NewString() }

// want fails the test unless the answer has the status and the outcome. It returns the delivery that made it so, if any.
func (a answer) want(tb testing.TB, status int, outcome string) delivery {
	tb.Helper()
	if a.status != status || a.Outcome != outcome {
		tb.Fatalf("got %d %s, want %d %s:\n%s", a.status, a.Outcome, status, outcome, a.text)
	}
	for _, d := range a.Deliveries {
		if d.Outcome == outcome {
			return d
		}
	}
	return delivery{}
}
