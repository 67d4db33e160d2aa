package worker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// standIn answers XACKDEL on a server that has none, as https://redis.io/docs/latest/commands/xackdel/ describes it: after key and group
// come IDS, how many, and the entries; the answer has 1 for each that was acknowledged and deleted, -1 for each that there is not.
const standIn = `
local server = redis
local redis = setmetatable({ pcall = function(command, key, group, ids, n, ...)
  if command ~= 'XACKDEL' then return server.pcall(command, key, group, ids, n, ...) end
  server.call('HINCRBY', KEYS[1] .. 'tried', 'XACKDEL', 1)
  if %s or ids ~= 'IDS' or tonumber(n) ~= select('#', ...) then return { err = 'ERR syntax error' } end
  local verdicts = {}
  for i, id in ipairs({ ... }) do
    local acked = server.call('XACK', key, group, id)
    local deleted = server.call('XDEL', key, id)
    verdicts[i] = acked + deleted == 2 and 1 or -1
  end
  return verdicts
end }, { __index = server })
`

// With XACKDEL (Redis 8.2) jobs are settled as without; also where it fails: another server may have taken over that has none.
func TestAckDel(t *testing.T) {
	for name, broken := range map[string]string{"new server": "false", "then an old one": "true"} {
		t.Run(name, func(t *testing.T) {
			n := shared(t, "one")
			text, err := source(scriptExchange, abilities{ackDel: true})
			if err != nil {
				t.Fatal(err)
			}
			n.jobs.store.scripts[scriptExchange] = redis.NewScript(fmt.Sprintf(standIn, broken) + text)
			q := n.jobs.Queue("q")
			batch := make([]any, 200)
			for i := range batch {
				batch[i] = fmt.Sprint(i)
			}
			if _, err := q.EnqueueBatch(within(t, 20*time.Second), batch); err != nil {
				t.Fatal(err)
			}
			_, got := collecting(n, "q", Concurrency(20), Prefetch(20))
			for range batch {
				receive(t, got)
			}
			until(t, "all are done", func() bool { i := info(t, q); return i.Done == 200 && i.Waiting+i.Running == 0 })
			for _, line := range lineNames {
				if left, err := n.client().XLen(t.Context(), q.base+"wait:"+line).Result(); err != nil || left != 0 {
					t.Errorf("%d entries in %s, %v; want none", left, line, err)
				}
			}
			if tried, err := n.client().HGet(t.Context(), q.base+"tried", "XACKDEL").Int(); err != nil || tried == 0 {
				t.Errorf("XACKDEL was tried %d times, %v", tried, err)
			}
		})
	}
}

// The scripts are told what the server can do.
func TestSources(t *testing.T) {
	old, err := source(scriptExchange, abilities{})
	if err != nil || strings.HasPrefix(old, "#!lua") || !strings.Contains(old, "local ackdel = false") {
		t.Errorf("%.60q, %v; want no flags and no XACKDEL", old, err)
	}
	newest, err := source(scriptExchange, abilities{flags: true, ackDel: true})
	if err != nil || !strings.HasPrefix(newest, "#!lua flags=allow-oom\n") || !strings.Contains(newest, "local ackdel = true") {
		t.Errorf("%.60q, %v; want flags and XACKDEL", newest, err)
	}
}
