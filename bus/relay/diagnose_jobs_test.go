package relay_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// jobRules are the rights of a user who may use the bus and job queues below "ok:", as docs/operations.md lists them.
func jobRules(keys ...any) []any {
	return append([]any{"resetkeys", "-@all", "+publish", "+subscribe", "+unsubscribe", "+psubscribe", "+punsubscribe", "+pubsub|numsub",
		"+multi", "+exec", "+ping", "+@hash", "+@set", "+@sortedset", "+@stream", "+del", "+exists", "+get", "+set", "+pexpire", "+eval",
		"+evalsha", "+script|load", "+time", "+wait", "+client|id", "+client|unblock"}, keys...)
}

// Job queues need keys and scripts. Whoever lacks them is told the command that gives them; where there are queues it is a fault.
func TestDiagnoseJobRights(t *testing.T) {
	server := redistest.Start(t)
	url := limitedURL(t, server)
	const queues, names, check = "~ok:q:*", "~ok:queues", "job queues"
	permit(t, server, "&ok:*", jobRules(queues, names)...)
	diagnose(t, url).want(t, check, relay.GradeGood, "ok:q:")
	for missing, rules := range map[string][]any{
		"no permissions for the keys of: EVAL, EVALSHA":  jobRules(names),
		"no permissions for the keys of: SMEMBERS, SREM": jobRules(queues),
		"no permissions for the keys of: SMEMBERS, EVAL": jobRules(),
		"no permissions to run: XREADGROUP":              jobRules(queues, names, "-xreadgroup"),
		"no permissions to run: HSET":                    jobRules(queues, names, "-hset"),
		"no permissions to run: EVALSHA":                 jobRules(queues, names, "-evalsha"),
		"no permissions to run: SCRIPT LOAD":             jobRules(queues, names, "-script|load"),
		"no permissions to run: WAIT":                    jobRules(queues, names, "-wait"),
	} {
		permit(t, server, "&ok:*", rules...)
		diagnose(t, url).want(t, check, relay.GradeNote, missing, "the bus needs none", "ACL SETUSER limited '~ok:q:*'")
	}
	client := server.Client()
	if keys := client.Keys(t.Context(), "*").Val(); len(keys) > 0 {
		t.Errorf("keys are left: %q", keys)
	}
	if err := client.SAdd(t.Context(), "ok:queues", "mail", "video").Err(); err != nil {
		t.Fatal(err)
	}
	permit(t, server, "&ok:*", jobRules(queues, names, "-xreadgroup", "-hset")...)
	d := diagnose(t, url)
	d.want(t, check, relay.GradeFault, "2 are here", "run: XREADGROUP, HSET", "ACL SETUSER limited '~ok:q:*' '~ok:queues' +@hash")
	_, rules, _ := strings.Cut(d[check].Fix, "ACL SETUSER limited ")
	args := []any{"ACL", "SETUSER", "limited"}
	for rule := range strings.FieldsSeq(rules) {
		args = append(args, strings.Trim(rule, "'"))
	}
	if err := client.Do(t.Context(), args...).Err(); err != nil {
		t.Errorf("%v: %v", args, err)
	}
	diagnose(t, url).want(t, check, relay.GradeGood)
	if keys := client.Keys(t.Context(), "*").Val(); !slices.Equal(keys, []string{"ok:queues"}) {
		t.Errorf("keys are left: %q", keys)
	}
	if names := client.SMembers(t.Context(), "ok:queues").Val(); len(names) != 2 {
		t.Errorf("queues: %q", names)
	}
}

// A Redis that forgets is told of, for the sake of jobs, with the command that has it remember.
func TestDiagnosePersistence(t *testing.T) {
	const check = "persistence"
	server := redistest.Start(t, "--appendonly", "no", "--save", "")
	client := server.Client()
	set := func(name, value string) {
		if err := client.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	diagnose(t, server.URL()).want(t, check, relay.GradeNote, "appendonly is no", "all jobs are lost when Redis is restarted",
		"CONFIG SET appendonly yes")
	set("save", "3600 1")
	diagnose(t, server.URL()).want(t, check, relay.GradeNote, "since the last snapshot (save 3600 1)", "CONFIG SET appendonly yes")
	set("appendonly", "yes")
	set("appendfsync", "everysec")
	diagnose(t, server.URL()).want(t, check, relay.GradeNote, "appendfsync everysec", "CONFIG SET appendfsync always")
	set("appendfsync", "always")
	diagnose(t, server.URL()).want(t, check, relay.GradeGood, "always")
}

// A policy that evicts costs jobs, and it is said so; a full Redis takes none in.
func TestDiagnoseMemoryOfJobs(t *testing.T) {
	d := diagnose(t, redistest.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru").URL())
	d.want(t, "eviction", relay.GradeFault, "with them jobs", "maxmemory-policy noeviction")
	d.want(t, "job queues", relay.GradeGood)
	d = diagnose(t, redistest.Start(t, "--maxmemory", "1kb").URL())
	d.want(t, "job queues", relay.GradeNote, "OOM", "CONFIG SET maxmemory 0")
}
