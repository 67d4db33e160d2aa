package minired

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// It answers, lets keys expire, and leaves nothing behind.
func TestStart(t *testing.T) {
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "redis://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(command string) string {
		_, _ = fmt.Fprintf(conn, "%s\r\n", command)
		answer, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(answer)
	}
	if got := say("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nEX\r\n$1\r\n1"); got != "+OK" {
		t.Fatal(got)
	}
	for say("*2\r\n$6\r\nEXISTS\r\n$1\r\nk") != ":0" {
		continue // until its second has passed; go test bounds it
	}
	if _, err := Start(strings.TrimPrefix(s.URL(), "redis://")); err == nil {
		t.Error("two servers at one address")
	}
}
