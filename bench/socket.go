package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ackbus/ackbus/bench/internal/role"
)

// Opcodes and the bits beside them (RFC 6455, section 5.2).
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
	bitFin  = 0x80
	bitMask = 0x80
)

var (
	markID      = []byte(`"id":"`)
	markMessage = []byte(`"type":"message"`)
	markWelcome = []byte(`"type":"welcome"`)
)

// A socket is a WebSocket client that costs little: the machine that is measured carries the clients too. It acknowledges each
// message at once; what arrived in one read is acknowledged in one write.
type socket struct {
	conn net.Conn
	r    *bufio.Reader
	out  []byte // frames to be written
	in   []byte // the frame that is being read
}

// dialSocket connects and returns once it is welcome.
func dialSocket(ctx context.Context, addr, user string) (*socket, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, r: bufio.NewReaderSize(conn, 4096)}
	if err := s.greet(addr, user); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

func (s *socket) greet(addr, user string) error {
	if err := s.conn.SetDeadline(time.Now().Add(role.Patience)); err != nil {
		return err
	}
	// The key is the RFC's own sample: it proves nothing that a benchmark needs to know.
	if _, err := fmt.Fprintf(s.conn, "GET /ws?user=%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", url.QueryEscape(user), addr); err != nil {
		return err
	}
	response, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(text)))
	}
	_, frame, err := s.read()
	if err != nil {
		return err
	}
	if !bytes.Contains(frame, markWelcome) {
		return fmt.Errorf("the gateway said %q instead of welcome", frame)
	}
	return s.conn.SetDeadline(time.Time{})
}

// acknowledge reads until the connection ends.
func (s *socket) acknowledge() error {
	for {
		op, frame, err := s.read()
		if err != nil {
			return err
		}
		switch op {
		case opPing:
			s.write(opPong, frame)
		case opClose:
			return io.EOF
		case opText:
			s.answer(frame)
		}
		if len(s.out) == 0 || s.r.Buffered() > 0 {
			continue
		}
		if _, err := s.conn.Write(s.out); err != nil {
			return err
		}
		s.out = s.out[:0]
	}
}

// answer acknowledges a message. Its ID is found without reading the JSON: bodies here hold nothing that looks like it.
func (s *socket) answer(frame []byte) {
	const uuidSize = 36
	i := bytes.Index(frame, markID)
	if i < 0 || len(frame) < i+len(markID)+uuidSize || !bytes.Contains(frame, markMessage) {
		return
	}
	id := frame[i+len(markID):][:uuidSize]
	var ack [80]byte
	p := append(ack[:0], `{"type":"ack","id":"`...)
	p = append(append(p, id...), `"}`...)
	s.write(opText, p)
}

// write queues a frame of up to 125 bytes. Clients have to mask; a mask of zeros leaves the bytes as they are.
func (s *socket) write(op byte, payload []byte) {
	s.out = append(s.out, bitFin|op, bitMask|byte(len(payload)), 0, 0, 0, 0)
	s.out = append(s.out, payload...)
}

// read returns one frame, which is valid until the next.
func (s *socket) read() (op byte, payload []byte, err error) {
	head, err := s.r.Peek(2)
	if err != nil {
		return 0, nil, err
	}
	op = head[0] & 0xf
	n, size := 2, int(head[1]&0x7f)
	switch size {
	case 126:
		n = 4
	case 127:
		return 0, nil, errors.New("a frame of more than 64 KiB")
	}
	if n == 4 {
		if head, err = s.r.Peek(n); err != nil {
			return 0, nil, err
		}
		size = int(binary.BigEndian.Uint16(head[2:]))
	}
	if _, err := s.r.Discard(n); err != nil {
		return 0, nil, err
	}
	if cap(s.in) < size {
		s.in = make([]byte, size)
	}
	s.in = s.in[:size]
	_, err = io.ReadFull(s.r, s.in)
	return op, s.in, err
}
