package relay_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// startRedis starts a relay that is closed at the end of the test.
func startRedis(tb testing.TB, url string, opts *relay.Options, receiver relay.Receiver) *relay.Redis {
	tb.Helper()
	r, err := relay.OpenRedis(tb.Context(), url, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(tb.Context(), 10*time.Second)
	defer cancel()
	if err := r.Start(ctx, relay.Self{ID: uuid.NewString()}, receiver); err != nil {
		tb.Fatal(err)
	}
	return r
}

// eventually asks again and again until done.
func eventually(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	const patience = 20 * time.Second
	end := time.After(patience)
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-again.C:
		case <-end:
			tb.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// startUnavailable wants Start to fail soon, and to say why.
func startUnavailable(tb testing.TB, r *relay.Redis, reason string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 3*time.Second)
	defer cancel()
	err := r.Start(ctx, relay.Self{ID: "n"}, newJournal())
	if !errors.Is(err, relay.ErrUnavailable) || !strings.Contains(err.Error(), reason) {
		tb.Errorf("start: %v, want %q", err, reason)
	}
}

// It works over each kind of URL.
func TestURLs(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "redis.sock")
	tlsPort := freePort(t)
	cert, key := certificate(t)
	server := redistest.Start(t, "--requirepass", "secret", "--unixsocket", socket, "--unixsocketperm", "700",
		"--tls-port", tlsPort, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	for name, url := range map[string]string{
		"tcp":      "redis://:secret@" + server.Addr() + "/3",
		"tls":      "rediss://:secret@127.0.0.1:" + tlsPort + "/0?skip_verify=true",
		"unix":     "unix://:secret@" + socket + "?db=2",
		"sentinel": "redis+sentinel://:secret@" + startSentinel(t, server.Addr()).addr + "/mymaster?db=1",
	} {
		t.Run(name, func(t *testing.T) {
			got := newJournal()
			r := startRedis(t, url, &relay.Options{Prefix: redistest.Prefix(t)}, got)
			subscribe(t, r, name)
			if err := r.Publish(t.Context(), relay.Packet{Channel: name, Payload: []byte("x"), Token: 1}); err != nil {
				t.Fatal(err)
			}
			if res := got.result(t, 1); res.Err != nil || res.Count != 1 {
				t.Errorf("publish: %+v", res)
			}
			eventually(t, "it arrives", func() bool { return got.has("x") })
		})
	}
	r, err := relay.OpenRedis(t.Context(), "rediss://:secret@127.0.0.1:"+tlsPort, nil)
	if err != nil {
		t.Fatal(err)
	}
	startUnavailable(t, r, "certificate")
}

func TestURLsRefused(t *testing.T) {
	for url, reason := range map[string]string{
		"redis+cluster://a:1,b:2":                 "not supported yet",
		"http://a":                                "scheme",
		"localhost:6379":                          "without a scheme",
		"redis://:secret@a:port":                  "port",
		"redis://:sec%ret@a:1":                    "escape",
		"redis://:secret@a:1/x":                   "database",
		"redis://:secret@a:1?nonsense=1":          "nonsense",
		"redis+sentinel://a:1":                    "names the master",
		"redis+sentinel://a:1,/mymaster":          "lists the sentinels",
		"redis+sentinel://:secret@a:1/m/n":        "names the master",
		"redis+sentinel://:secret@a:1/m?db=x":     "database",
		"redis+sentinel://:sec%ret@a:1/m":         "escape",
		"redis+sentinel://:secret@a:1/m?nonsense": "nonsense",
	} {
		_, err := relay.OpenRedis(t.Context(), url, nil)
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", url, err, reason)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec%ret")) {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestOptionsRefused(t *testing.T) {
	for _, opts := range []relay.Options{
		{Prefix: "a*"}, {Lanes: -1}, {Lanes: 65}, {OutboxBytes: -1}, {OutboxPackets: -1}, {CommandTimeout: -1},
	} {
		if _, err := relay.OpenRedis(t.Context(), "redis://a", &opts); err == nil {
			t.Errorf("accepted: %+v", opts)
		}
	}
}

// Two relays of one process share their metrics.
func TestMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	opts := &relay.Options{Prefix: redistest.Prefix(t), Metrics: registry}
	url := redistest.Shared(t).URL()
	startRedis(t, url, opts, newJournal())
	startRedis(t, url, opts, newJournal())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
		if f.GetName() == "ackbus_relay_probe_seconds" && f.GetMetric()[0].GetHistogram().GetSampleCount() < 8 {
			t.Error("each lane has had its probe, and they were not all counted")
		}
	}
	want := []string{"ackbus_outbox_bytes", "ackbus_relay_gaps_total", "ackbus_relay_probe_seconds", "ackbus_relay_reconnects_total"}
	if !slices.Equal(names, want) {
		t.Errorf("metrics %q, want %q", names, want)
	}
}

// freePort is a port that nobody is given who asks for any, nor a redis-server of the tests as its own: what runs at the same time takes
// it by a rare chance alone.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(10_000 + mathrand.IntN(10_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// certificate makes a certificate that nobody has signed, and returns the files.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", der), writePEM(t, "PRIVATE KEY", secret)
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
