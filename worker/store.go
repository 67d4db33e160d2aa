package worker

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var sources embed.FS

// The scripts: every change of a job is one of them.
const (
	scriptEnqueue  = "enqueue"
	scriptExchange = "exchange"
	scriptTend     = "tend"
	scriptReap     = "reap"
	scriptMine     = "mine"
	scriptLook     = "look"
	scriptProgress = "progress"
	scriptDelete   = "delete"
	scriptRevive   = "revive"
	scriptClear    = "clear"
	scriptInfo     = "info"
	scriptFire     = "fire"
)

// A server's abilities, beyond what Redis 6.2 has.
type abilities struct {
	flags  bool // first lines of scripts that say how they behave when memory is short (7.0)
	ackDel bool // XACKDEL (8.2)
}

// compile compiles every script for what a server can do.
func compile(can abilities) (map[string]*redis.Script, error) {
	compiled := make(map[string]*redis.Script)
	for _, name := range []string{scriptEnqueue, scriptExchange, scriptTend, scriptReap, scriptMine, scriptLook, scriptProgress,
		scriptDelete, scriptRevive, scriptClear, scriptInfo, scriptFire} {
		text, err := source(name, can)
		if err != nil {
			return nil, err
		}
		compiled[name] = redis.NewScript(text)
	}
	return compiled, nil
}

// source is the text of a script: its flags, what stands before every script, and its own.
func source(name string, can abilities) (string, error) {
	common, err := sources.ReadFile("scripts/common.lua")
	if err != nil {
		return "", err
	}
	own, err := sources.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		return "", err
	}
	flags, body, _ := strings.Cut(string(own), "\n")
	text := string(common) + body
	if can.ackDel {
		text = strings.Replace(text, "local ackdel = false", "local ackdel = true", 1)
	}
	if can.flags {
		text = flags + "\n" + text
	}
	return text, nil
}

// A store runs scripts on the Redis that holds the queues.
type store struct {
	client  redis.UniversalClient
	blocked redis.UniversalClient // for those who listen
	prefix  string
	can     abilities
	scripts map[string]*redis.Script
}

// openStore connects, and learns what the server can do.
func openStore(ctx context.Context, url, prefix string) (*store, error) {
	client, err := connect(url, commandConns)
	if err != nil {
		return nil, err
	}
	blocked, err := connect(url, blockedConns)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	s := &store{client: client, blocked: blocked, prefix: prefix, can: abilities{flags: true, ackDel: hasCommand(ctx, client, "xackdel")}}
	err = s.load(ctx)
	if _, refused := errors.AsType[redis.Error](err); refused && !errors.Is(redisError(err), ErrUnavailable) {
		s.can.flags = false // a server that is loading says nothing about them
		err = s.load(ctx)
	}
	if err != nil {
		return nil, errors.Join(redisError(err), s.close())
	}
	return s, nil
}

func (s *store) close() error { return errors.Join(s.client.Close(), s.blocked.Close()) }

// up is for how long the server has run; 0 where it does not say.
func (s *store) up(ctx context.Context) time.Duration {
	about, err := s.client.Info(ctx, "server").Result()
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(about, "uptime_in_seconds:")
	text, _, _ := strings.Cut(rest, "\r\n")
	seconds, _ := strconv.Atoi(text) // none: 0
	return time.Duration(seconds) * time.Second
}

// hasCommand asks whether the server knows a command. One that does not say has none.
func hasCommand(ctx context.Context, client redis.UniversalClient, name string) bool {
	infos, err := client.Do(ctx, "COMMAND", "INFO", name).Slice()
	return err == nil && len(infos) == 1 && infos[0] != nil
}

// load compiles the scripts, and has the server try whether it takes them.
func (s *store) load(ctx context.Context) error {
	var err error
	if s.scripts, err = compile(s.can); err != nil {
		return err
	}
	return s.scripts[scriptLook].Load(ctx, s.client).Err()
}

// base begins the keys of a queue.
func (s *store) base(queue string) string { return s.prefix + "q:{" + queue + "}:" }

// names is the key of the set of all queues' names.
func (s *store) names() string { return s.prefix + "queues" }

// run runs a script on the keys of a queue.
func (s *store) run(ctx context.Context, what, base string, args ...any) (any, error) {
	reply, err := s.scripts[what].Run(ctx, s.client, []string{base}, args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, redisError(err)
	}
	return reply, nil
}

// list runs a script that answers a list of at least n parts.
func (s *store) list(ctx context.Context, n int, what, base string, args ...any) ([]any, error) {
	reply, err := s.run(ctx, what, base, args...)
	if err != nil {
		return nil, err
	}
	parts, ok := reply.([]any)
	if !ok || len(parts) < n {
		return nil, fmt.Errorf("worker: odd answer of a script: %T of %d parts, want %d", reply, len(parts), n)
	}
	return parts, nil
}

// asText reads one part of an answer.
func asText(part any) string {
	text, _ := part.(string)
	return text
}

// asNumber reads one part of an answer.
func asNumber(part any) int64 {
	n, _ := part.(int64)
	return n
}

// asList reads one part of an answer.
func asList(part any) []any {
	parts, _ := part.([]any)
	return parts
}
