package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/client"
	"github.com/ackbus/ackbus/cmd/ackbus/internal/load"
)

const (
	// maxAnswer is how much of an answer is read.
	maxAnswer = 16 << 20
	// httpSlack is how much longer than its timeout a request may take before the node counts as silent.
	httpSlack = 5 * time.Second
)

// An httpSender sends requests to the HTTP API of a node.
type httpSender struct {
	client *http.Client
	base   string
	key    string
}

// aimAtNode sends to the HTTP API of a running node.
func (b *bench) aimAtNode(ctx context.Context, log *slog.Logger) (*target, error) {
	base, err := nodeURL(b.url)
	if err != nil {
		return nil, usageError("--url: %w", err)
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConns: b.inFlight, MaxIdleConnsPerHost: b.inFlight}
	s := &httpSender{&http.Client{Transport: transport, Timeout: b.timeout + httpSlack}, base.String(), b.key}
	if err := s.look(ctx); err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	to, dismiss, err := b.addressees(ctx, log, func(ctx context.Context, log *slog.Logger) (*benchGuests, error) {
		return inviteToNode(ctx, b.clients, base, log)
	})
	if err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	closeAll := func() {
		transport.CloseIdleConnections()
		dismiss()
	}
	bodies := make([][]byte, len(to))
	for i, one := range to {
		if bodies[i], err = b.requestBody(one); err != nil {
			closeAll()
			return nil, err
		}
	}
	send := func(ctx context.Context, number int) load.Answer { return s.send(ctx, bodies[number%len(bodies)]) }
	return &target{send, closeAll}, nil
}

// nodeURL reads http://host:port, with nothing behind it.
func nodeURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("bad URL %q: want http://host:port or https://host", text)
	}
	u.Path, u.Fragment = "", ""
	return u, nil
}

// inviteToNode connects the guests to the WebSocket of the node, where it believes them who they are.
func inviteToNode(ctx context.Context, n int, base *url.URL, log *slog.Logger) (*benchGuests, error) {
	ws := *base
	ws.Scheme, ws.Path = strings.Replace(base.Scheme, "http", "ws", 1), "/ws"
	g := newBenchGuests(ctx)
	err := g.connect(ctx, n, ws.String(), log)
	if err == nil {
		return g, nil
	}
	g.close()
	if errors.Is(err, client.ErrRefused) {
		return nil, fmt.Errorf("%w; connect clients by ackbus connect --token, and give their address", err)
	}
	return nil, err
}

func (b *bench) requestBody(to bus.Address) ([]byte, error) {
	return json.Marshal(struct {
		To      bus.Address     `json:"to"`
		Event   string          `json:"event"`
		Data    json.RawMessage `json:"data,omitempty"`
		Timeout int64           `json:"timeout_ms"`
		Require bus.Requirement `json:"require"`
		Level   string          `json:"level"`
	}{to, b.event, b.data(), b.timeout.Milliseconds(), b.require, b.level.String()})
}

// look asks the node for something small: whether it is there, and takes the key.
func (s *httpSender) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	status, body, err := s.do(ctx, http.MethodGet, "/v1/nodes", nil)
	if err != nil {
		return &exitError{exitUnreachable, fmt.Errorf("can't reach the node: %w", err)}
	}
	if status == http.StatusOK {
		return nil
	}
	_, message := failureIn(body, status)
	hint := ""
	if status == http.StatusUnauthorized {
		hint = " (give --api-key)"
	}
	return fmt.Errorf("the node at %s refuses: %s%s", s.base, clip(message), hint)
}

func (s *httpSender) do(ctx context.Context, method, path string, body []byte) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if s.key != "" {
		req.Header.Set("Authorization", "Bearer "+s.key)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, answer, err
}

// send posts one request and tells a receipt from an error.
func (s *httpSender) send(ctx context.Context, body []byte) load.Answer {
	status, raw, err := s.do(ctx, http.MethodPost, "/v1/request", body)
	if err != nil {
		return load.Answer{Outcome: "no answer", Failed: true, Text: clip(err.Error())}
	}
	var receipt struct {
		Outcome string `json:"outcome"`
	}
	if err := json.Unmarshal(raw, &receipt); err == nil && receipt.Outcome != "" {
		return load.Answer{Outcome: clip(receipt.Outcome), Met: status == http.StatusOK, Bytes: len(raw)}
	}
	code, message := failureIn(raw, status)
	return load.Answer{Outcome: clip(code), Failed: true, Text: clip(message), Bytes: len(raw)}
}

// failureIn reads the body of an error; where it is none of the API's, the status stands for it.
func failureIn(body []byte, status int) (code, message string) {
	var failed struct {
		Error bus.Rejection `json:"error"`
	}
	if err := json.Unmarshal(body, &failed); err != nil || failed.Error.Code == "" {
		return fmt.Sprintf("HTTP %d", status), http.StatusText(status)
	}
	return failed.Error.Code, failed.Error.Message
}
