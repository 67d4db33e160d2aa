package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// jobRights are what workers, and nodes that serve job queues, need beyond what the bus does.
const jobRights = "+@hash +@set +@sortedset +@stream +del +exists +get +set +pexpire +eval +evalsha '+script|load' +time +wait " +
	"'+client|id' '+client|unblock'"

// everyCommand runs what the scripts of job queues run, on keys that begin with KEYS[1], and lists what was refused: command, error, ….
// Nothing is written where it could not be deleted again.
const everyCommand = `#!lua
local base, group, refused = KEYS[1], 'workers', {}
local stream, hash, set, sorted, text = base .. 'stream', base .. 'hash', base .. 'set', base .. 'sorted', base .. 'text'
local function try(command, ...)
  local reply = redis.pcall(command, ...)
  if type(reply) == 'table' and reply.err then
    refused[#refused + 1] = command
    refused[#refused + 1] = reply.err
  end
  return reply
end
try('DEL', stream, hash, set, sorted, text)
if #refused > 0 then return refused end
try('TIME')
try('XGROUP', 'CREATE', stream, group, '0', 'MKSTREAM')
local entry = try('XADD', stream, '*', 'j', 'doctor')
try('XREADGROUP', 'GROUP', group, 'doctor', 'COUNT', 1, 'STREAMS', stream, '>')
try('XPENDING', stream, group, '-', '+', 1)
try('XINFO', 'GROUPS', stream)
try('XINFO', 'CONSUMERS', stream, group)
try('XRANGE', stream, '-', '+', 'COUNT', 1)
try('XLEN', stream)
if type(entry) == 'string' then
  try('XACK', stream, group, entry)
  try('XDEL', stream, entry)
end
try('XTRIM', stream, 'MINID', '=', '1-1')
try('XGROUP', 'DELCONSUMER', stream, group, 'doctor')
try('HSET', hash, 'd', 1)
try('HSETNX', hash, 'd', 1)
try('HINCRBY', hash, 'a', 1)
try('HGET', hash, 'd')
try('HMGET', hash, 'd')
try('HGETALL', hash)
try('HEXISTS', hash, 'd')
try('HDEL', hash, 'a')
try('PEXPIRE', hash, 1000)
try('SADD', set, 1)
try('SCARD', set)
try('SREM', set, 1)
try('ZADD', sorted, 1, 'doctor')
try('ZCARD', sorted)
try('ZSCORE', sorted, 'doctor')
try('ZRANGE', sorted, 0, 0)
try('ZRANGEBYSCORE', sorted, '-inf', 1)
try('ZREM', sorted, 'doctor')
try('ZPOPMIN', sorted)
try('SET', text, 1, 'NX', 'PX', 1000)
try('GET', text)
try('EXISTS', text)
try('DEL', stream, hash, set, sorted, text)
return refused`

// jobs tries what job queues need, on keys of its own in the place of a queue's. The bus itself has no key: so it is a fault only where
// there are queues.
func (d *diagnosis) jobs(ctx context.Context) error {
	const check = "job queues"
	if d.embedded {
		return nil
	}
	queues, refused, err := d.tryJobs(ctx)
	switch {
	case err != nil:
		return err
	case len(refused) == 0:
		d.goodf(check, "keys and scripts are allowed below %sq:", d.prefix)
		return nil
	}
	rights := fmt.Sprintf("'~%sq:*' '~%squeues' %s", d.prefix, d.prefix, jobRights)
	fix, what := "", reasons(refused)
	switch {
	case strings.Contains(what, "OOM"):
		fix = d.command("CONFIG SET maxmemory 0")
	case strings.Contains(what, "permissions"):
		fix = d.right(rights)
	}
	if queues > 0 {
		d.faultf(check, fix, "%d are here, and can't be worked at: %s", queues, what)
	} else {
		d.notef(check, fix, "the bus needs none; workers and enqueuers would not run: %s", what)
	}
	return nil
}

// A denial is what Redis said to a command.
type denial struct{ command, text string }

// reasons names all commands, and each reason once.
func reasons(refused []denial) string {
	var kinds []string
	commands := make(map[string][]string)
	for _, r := range refused {
		kind := r.text
		switch {
		case strings.Contains(kind, "permissions to run"), strings.Contains(kind, "can't run this command"): // the latter within scripts
			kind = "no permissions to run"
		case strings.Contains(kind, "of the keys"):
			kind = "no permissions for the keys of"
		}
		if commands[kind] == nil {
			kinds = append(kinds, kind)
		}
		if !slices.Contains(commands[kind], r.command) {
			commands[kind] = append(commands[kind], r.command)
		}
	}
	for i, kind := range kinds {
		kinds[i] = strings.ReplaceAll(kind, "\n", " ") + ": " + strings.Join(commands[kind], ", ")
	}
	return strings.Join(kinds, "; ")
}

// tryJobs counts the queues, as far as they can be seen, and lists what was refused.
func (d *diagnosis) tryJobs(ctx context.Context) (queues int, refused []denial, err error) {
	client, names, base := d.link.client, d.prefix+"queues", d.prefix+"q:{doctor-"+uuid.NewString()+"}:"
	script := redis.NewScript(everyCommand)
	for _, one := range []struct {
		command string
		try     func() error
	}{
		{"SMEMBERS", func() error {
			found, err := client.SMembers(ctx, names).Result()
			queues = len(found)
			return err
		}},
		{"SCRIPT LOAD", func() error { return script.Load(ctx, client).Err() }},
		{"EVAL", func() error { return client.Eval(ctx, "return 1", []string{base}).Err() }},
		{"EVALSHA", func() error {
			within, err := script.EvalSha(ctx, client, []string{base}).StringSlice()
			for ; len(within) > 1; within = within[2:] {
				refused = append(refused, denial{within[0], within[1]})
			}
			return err
		}},
		{"TIME", func() error { return client.Time(ctx).Err() }},
		{"XRANGE", func() error { return client.XRange(ctx, base+"stream", "-", "+").Err() }},
		{"XREADGROUP", func() error {
			return client.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "workers", Consumer: "doctor", Block: time.Millisecond,
				Streams: []string{base + "stream", ">"}}).Err()
		}},
		{"ZREVRANGE", func() error { return client.Do(ctx, "ZREVRANGE", base+"sorted", 0, 0).Err() }},
		{"WAIT", func() error { return client.Do(ctx, "WAIT", 0, 1).Err() }},
		{"CLIENT ID", func() error { return client.ClientID(ctx).Err() }},
		{"CLIENT UNBLOCK", func() error { return client.ClientUnblock(ctx, 0).Err() }},
		{"SREM", func() error { return client.SRem(ctx, names, base).Err() }}, // writes, and changes nothing
	} {
		err := one.try()
		switch {
		case err == nil, errors.Is(err, redis.Nil), replied(err, "NOGROUP", "NOSCRIPT"): // it was allowed to ask
		case !isReply(err):
			return 0, nil, err
		default:
			if refused = append(refused, denial{one.command, err.Error()}); replied(err, "READONLY") {
				return queues, refused, nil // go-redis has given the connection up
			}
		}
	}
	return queues, refused, nil
}

// persistence asks what becomes of jobs when Redis ends. The bus has nothing to lose.
func (d *diagnosis) persistence(ctx context.Context) error {
	const check = "persistence"
	set := make(map[string]string)
	for _, name := range []string{"appendonly", "appendfsync", "save"} {
		values, err := d.link.client.ConfigGet(ctx, name).Result()
		if err != nil {
			return err
		}
		set[name] = values[name]
	}
	switch {
	case set["appendonly"] != "yes" && set["save"] == "":
		d.notef(check, d.command("CONFIG SET appendonly yes"), "appendonly is %s, and there are no snapshots: all jobs are lost when "+
			"Redis is restarted; the bus itself keeps nothing", set["appendonly"])
	case set["appendonly"] != "yes":
		d.notef(check, d.command("CONFIG SET appendonly yes"), "appendonly is %s: jobs since the last snapshot (save %s) are lost when "+
			"Redis is killed and restarted; the bus itself keeps nothing", set["appendonly"], set["save"])
	case set["appendfsync"] != "always":
		d.notef(check, d.command("CONFIG SET appendfsync always"), "appendonly is yes, appendfsync %s: when its machine dies, the jobs of "+
			"the last moment are lost, a second or more", set["appendfsync"])
	default:
		d.goodf(check, "appendonly yes, appendfsync always: what was taken in stays")
	}
	return nil
}
