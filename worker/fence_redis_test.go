package worker

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// A scripted runs this package's scripts on miniredis's commands, in one goroutine, without a socket, and on a clock that is set. Each
// script is compiled once: miniredis by itself makes a new Lua each time, and takes six times as long.
type scripted struct {
	mini     *miniredis.Miniredis
	now      time.Time
	latest   time.Time // that it was
	commands *server.Server
	peer     *server.Peer
	said     *bytes.Buffer
	writer   *bufio.Writer
	lua      *lua.LState
	compiled map[string]*lua.LFunction
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	s := &scripted{mini: miniredis.NewMiniRedis(), said: &bytes.Buffer{}, lua: lua.NewState(), compiled: make(map[string]*lua.LFunction)}
	conn, err := s.mini.Dial() // which has its commands be there
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.mini.Close()
		s.lua.Close()
	})
	s.commands, s.writer = s.mini.Server(), bufio.NewWriter(s.said)
	s.peer = server.NewPeer(s.writer)
	redis := s.lua.NewTable()
	redis.RawSetString("call", s.lua.NewFunction(s.call(true)))
	redis.RawSetString("pcall", s.lua.NewFunction(s.call(false)))
	s.lua.SetGlobal("redis", redis)
	for _, name := range []string{scriptEnqueue, scriptExchange, scriptTend, scriptReap, scriptMine, scriptDelete, scriptInfo} {
		text, err := source(name, abilities{})
		if err != nil {
			t.Fatal(err)
		}
		chunk, err := parse.Parse(strings.NewReader(text), name)
		if err != nil {
			t.Fatal(err)
		}
		proto, err := lua.Compile(chunk, name)
		if err != nil {
			t.Fatal(err)
		}
		s.compiled[name] = s.lua.NewFunctionFromProto(proto)
	}
	return s
}

// reset empties it, and sets its clock.
func (s *scripted) reset(now time.Time) {
	s.mini.FlushAll()
	s.latest = time.Time{}
	s.set(now)
}

// set sets the clock.
func (s *scripted) set(now time.Time) {
	s.now = now
	if now.After(s.latest) {
		s.latest = now
	}
	s.mini.SetTime(now)
}

// do carries out a command. miniredis, unlike Redis, leaves out of an XPENDING what was delivered later than its clock says.
func (s *scripted) do(words ...string) (any, error) {
	if words[0] == "XPENDING" && s.now.Before(s.latest) {
		s.mini.SetTime(s.latest)
		defer s.mini.SetTime(s.now)
	}
	s.said.Reset()
	s.commands.Dispatch(s.peer, words)
	s.peer.Flush()
	return server.ParseReply(bufio.NewReader(s.said))
}

// call is redis.call, or redis.pcall, which returns what went wrong.
func (s *scripted) call(fails bool) lua.LGFunction {
	return func(l *lua.LState) int {
		words := make([]string, l.GetTop())
		for i := range words {
			words[i] = lua.LVAsString(l.Get(i + 1))
		}
		reply, err := s.do(words...)
		switch {
		case err != nil && fails:
			l.RaiseError("%s: %v", words[0], err)
		case err != nil:
			told := l.NewTable()
			told.RawSetString("err", lua.LString(err.Error()))
			l.Push(told)
		default:
			l.Push(toLua(l, reply))
		}
		return 1
	}
}

// toLua is what a script sees of an answer.
func toLua(l *lua.LState, reply any) lua.LValue {
	switch r := reply.(type) {
	case nil:
		return lua.LFalse
	case int:
		return lua.LNumber(r)
	case int64:
		return lua.LNumber(r)
	case []byte:
		return lua.LString(r)
	case []any:
		table := l.CreateTable(len(r), 0)
		for _, part := range r {
			table.Append(toLua(l, part))
		}
		return table
	default:
		return lua.LString(fmt.Sprint(r))
	}
}

// fromLua is what a client sees of what a script returns.
func fromLua(v lua.LValue) any {
	switch v := v.(type) {
	case lua.LNumber:
		return int64(v)
	case lua.LString:
		return string(v)
	case *lua.LTable:
		parts := make([]any, 0, v.Len())
		for i := 1; i <= v.Len(); i++ {
			parts = append(parts, fromLua(v.RawGetInt(i)))
		}
		return parts
	default:
		return nil
	}
}

// run runs a script on the keys of a queue. One that fails is a mistake.
func (s *scripted) run(name, base string, args ...any) []any {
	keys, words := s.lua.NewTable(), s.lua.CreateTable(len(args), 0)
	keys.Append(lua.LString(base))
	for _, a := range args {
		words.Append(lua.LString(fmt.Sprint(a)))
	}
	s.lua.SetGlobal("KEYS", keys)
	s.lua.SetGlobal("ARGV", words)
	s.lua.Push(s.compiled[name])
	s.lua.Call(0, 1)
	reply := fromLua(s.lua.Get(-1))
	s.lua.Pop(1)
	return asList(reply)
}
