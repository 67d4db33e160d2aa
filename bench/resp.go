package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// A raw connection speaks as much RESP as the floor needs.
type raw struct {
	conn net.Conn
	r    *bufio.Reader
}

func dialRaw(ctx context.Context, addr string) (*raw, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &raw{conn: conn, r: bufio.NewReaderSize(conn, 4096)}, nil
}

// command encodes a command once, to be written as often as needed.
func command(words ...string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	return b.Bytes()
}

// write sends an encoded command.
func (c *raw) write(command []byte) error {
	_, err := c.conn.Write(command)
	return err
}

// number reads a reply such as that to PUBLISH.
func (c *raw) number() (int, error) { return c.header(':') }

// subscribe returns once the channel is confirmed.
func (c *raw) subscribe(channel string) error {
	if err := c.write(command("SUBSCRIBE", channel)); err != nil {
		return err
	}
	if _, err := c.header('*'); err != nil {
		return err
	}
	for range 2 { // "subscribe", the channel, and the number of channels
		if err := c.skip(); err != nil {
			return err
		}
	}
	_, err := c.number()
	return err
}

// message reads past one message: "message", the channel, the payload.
func (c *raw) message() error {
	if _, err := c.header('*'); err != nil {
		return err
	}
	for range 3 {
		if err := c.skip(); err != nil {
			return err
		}
	}
	return nil
}

// skip reads past one bulk string.
func (c *raw) skip() error {
	n, err := c.header('$')
	if err != nil {
		return err
	}
	_, err = c.r.Discard(n + len("\r\n"))
	return err
}

// header reads a line of the kind and its number.
func (c *raw) header(kind byte) (int, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 4 || line[0] != kind {
		return 0, fmt.Errorf("%q came where a %c was due", line, kind)
	}
	return strconv.Atoi(string(line[1 : len(line)-2]))
}

func (c *raw) close() error { return c.conn.Close() }

// hungUp reports whether the error only says that the connection has ended.
func hungUp(err error) bool { return errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) }
