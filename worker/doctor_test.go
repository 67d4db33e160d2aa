package worker

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ackbus/ackbus/bus/relay"
	"github.com/ackbus/ackbus/internal/redistest"
)

// commandsOfScripts lists what the scripts run, a subcommand as in XGROUP|CREATE.
func commandsOfScripts(t *testing.T) (commands []string) {
	t.Helper()
	run := regexp.MustCompile(`(?:call\(|all\([^',]+, )'([A-Z]+)'(?:, '([A-Z]+)')?`)
	files, err := sources.ReadDir("scripts")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := sources.ReadFile(path.Join("scripts", file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range run.FindAllStringSubmatch(string(text), -1) {
			switch command := found[1]; command {
			case "XACKDEL": // where there is none, two others do its work
			case "XGROUP", "XINFO":
				commands = append(commands, command+"|"+found[2])
			default:
				commands = append(commands, command)
			}
		}
	}
	slices.Sort(commands)
	return slices.Compact(commands)
}

// The doctor finds each command missing that workers, enqueuers and nodes with queues need: those of the scripts, and those beside them.
func TestDoctorTriesEveryCommand(t *testing.T) {
	server := redistest.Start(t)
	url := strings.Replace(server.URL(), "redis://", "redis://limited:secret@", 1)
	jobs := func(rules ...any) relay.Finding {
		t.Helper()
		rules = append([]any{"ACL", "SETUSER", "limited", "reset", "on", ">secret", "+@all", "~d:q:*", "~d:queues", "&*"}, rules...)
		if err := server.Client().Do(t.Context(), rules...).Err(); err != nil {
			t.Fatal(err)
		}
		findings, err := relay.Diagnose(t.Context(), url, &relay.Options{Prefix: "d:"})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(findings, func(f relay.Finding) bool { return f.Check == "job queues" })
		if i < 0 {
			t.Fatalf("nothing is said of job queues: %+v", findings)
		}
		return findings[i]
	}
	if f := jobs(); f.Grade != relay.GradeGood {
		t.Fatalf("with all rights: %+v", f)
	}
	commands := commandsOfScripts(t)
	if len(commands) < 30 {
		t.Fatalf("the scripts run %q: want more", commands)
	}
	commands = append(commands, "EVAL", "EVALSHA", "SCRIPT|LOAD", "SMEMBERS", "ZREVRANGE", "WAIT", "CLIENT|ID", "CLIENT|UNBLOCK")
	for _, command := range commands {
		f := jobs("-" + strings.ToLower(command))
		name, sub, _ := strings.Cut(command, "|")
		if f.Grade != relay.GradeNote || !strings.Contains(f.Text, name) || !strings.Contains(f.Fix, "ACL SETUSER limited") {
			t.Errorf("without %s %s: %+v", name, sub, f)
		}
	}
}

// A user with the rights that the doctor asks for can enqueue, work and wait.
func TestWorkWithTheRightsOfTheDoctor(t *testing.T) {
	server := redistest.Start(t)
	url := strings.Replace(server.URL(), "redis://", "redis://limited:secret@", 1)
	allow := func(rules ...any) {
		t.Helper()
		if err := server.Client().Do(t.Context(), append([]any{"ACL", "SETUSER", "limited"}, rules...)...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	allow("reset", "on", ">secret", "&d:*", "-@all", "+publish", "+subscribe", "+unsubscribe", "+psubscribe", "+punsubscribe",
		"+pubsub|numsub", "+multi", "+exec", "+ping")
	findings, err := relay.Diagnose(t.Context(), url, &relay.Options{Prefix: "d:"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if _, rules, found := strings.Cut(f.Fix, "ACL SETUSER limited "); found && f.Check == "job queues" {
			for rule := range strings.FieldsSeq(rules) {
				allow(strings.Trim(rule, "'"))
			}
		}
	}
	n := attach(t, url, "d:", "limited")
	q := n.jobs.Queue("q")
	n.work(nil, func(p *Pool) { Handle(p, "q", double) })
	if got, err := Call[int](within(t, 20*time.Second), q, 21); err != nil || got != 42 {
		t.Errorf("%d, %v", got, err)
	}
	if err := q.SetLimits(t.Context(), Limits{Running: 2}); err != nil {
		t.Error(err)
	}
	if dead, err := q.Dead(t.Context(), 0, 10); err != nil {
		t.Errorf("%+v, %v", dead, err)
	}
	if queues, err := n.jobs.Queues(t.Context()); err != nil || len(queues) != 1 {
		t.Errorf("%+v, %v", queues, err)
	}
}
