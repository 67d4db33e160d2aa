package relay

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// What the bounds of the outbox and of the lanes are made for: Redis's own default.
const (
	bufferHard = 32 << 20
	bufferSoft = 8 << 20
	bufferFix  = `CONFIG SET client-output-buffer-limit "pubsub 32mb 8mb 60"`
)

// memory asks what Redis does when its memory runs short.
func (d *diagnosis) memory(ctx context.Context) error {
	if d.noInfo {
		return nil
	}
	info, err := d.info(ctx, "memory")
	if err != nil {
		return err
	}
	used, known := whole(info["used_memory"])
	most, bounded := whole(info["maxmemory"])
	policy := info["maxmemory_policy"]
	switch {
	case !known || !bounded:
		d.notef("memory", "", "it does not say how much it has")
		return nil
	case most == 0:
		d.goodf("memory", "%s used, no maxmemory", megabytes(used))
		return nil
	case used > most/2:
		d.faultf("memory", d.command("CONFIG SET maxmemory 0"), "%s of maxmemory %s are used; above it Redis refuses what proves that "+
			"nobody is there, and newer releases every SUBSCRIBE", megabytes(used), megabytes(most))
	default:
		d.goodf("memory", "%s of maxmemory %s are used", megabytes(used), megabytes(most))
	}
	if policy == "noeviction" {
		d.goodf("eviction", "none")
		return nil
	}
	d.faultf("eviction", d.command("CONFIG SET maxmemory-policy noeviction"), "maxmemory-policy is %s: a burst in the buffers of lanes "+
		"would cost keys, and with them jobs: workers keep theirs here. The bus itself has none", policy)
	return nil
}

func whole(text string) (n int64, ok bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// settings asks for what CONFIG tells. All of it can be changed while Redis runs; CONFIG REWRITE makes it last.
func (d *diagnosis) settings(ctx context.Context) error {
	if d.embedded {
		return nil
	}
	for _, one := range []struct {
		name  string
		judge func(value string)
	}{
		{"client-output-buffer-limit", d.judgeBuffers}, {"tcp-keepalive", d.judgeKeepalive}, {"timeout", d.judgeTimeout},
	} {
		values, err := d.link.client.ConfigGet(ctx, one.name).Result()
		if err != nil {
			return d.unseen("settings", "+config|get", "output buffers, tcp-keepalive, timeout and persistence", err)
		}
		one.judge(values[one.name])
	}
	return d.persistence(ctx)
}

// judgeBuffers reads the limits of all classes, as in "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60".
func (d *diagnosis) judgeBuffers(value string) {
	const check = "output buffers"
	_, limits, _ := strings.Cut(value, "pubsub ")
	words := strings.Fields(limits)
	if len(words) < 3 {
		d.notef(check, "", "client-output-buffer-limit says nothing of pubsub: %q", value)
		return
	}
	hard, readable := whole(words[0])
	soft, too := whole(words[1])
	switch {
	case !readable || !too:
		d.notef(check, "", "client-output-buffer-limit can't be read: %q", value)
	case hard == 0:
		d.faultf(check, d.command(bufferFix), "client-output-buffer-limit pubsub is unbounded: a lane that does not read takes all memory")
	case hard < bufferHard || soft > 0 && soft < bufferSoft:
		d.faultf(check, d.command(bufferFix), "client-output-buffer-limit pubsub is %s: Redis would cut lanes that are only busy", limits)
	default:
		d.goodf(check, "client-output-buffer-limit pubsub is %s", limits)
	}
}

func (d *diagnosis) judgeKeepalive(value string) {
	const check, most, better = "tcp-keepalive", 300, 60
	fix := d.command("CONFIG SET tcp-keepalive 30")
	switch seconds, readable := whole(value); {
	case !readable:
		d.notef(check, "", "it can't be read: %q", value)
	case seconds == 0 || seconds > most:
		d.faultf(check, fix, "tcp-keepalive is %d: a machine that vanishes is counted as there for long, and its addresses "+
			"end as unknown", seconds)
	case seconds > better:
		d.notef(check, fix, "tcp-keepalive is %d: the addresses of a machine that vanishes end as unknown for about so many seconds",
			seconds)
	default:
		d.goodf(check, "%d s", seconds)
	}
}

// judgeTimeout knows that a connection for publishing is idle for a second at most: then it carries a probe. Lanes are exempt.
func (d *diagnosis) judgeTimeout(value string) {
	const check, least = "timeout", 3
	switch seconds, readable := whole(value); {
	case !readable:
		d.notef(check, "", "it can't be read: %q", value)
	case seconds > 0 && seconds < least:
		d.faultf(check, d.command("CONFIG SET timeout 0"), "timeout is %d: Redis would close connections between two probes", seconds)
	case seconds == 0:
		d.goodf(check, "idle connections stay")
	default:
		d.goodf(check, "connections may be idle for %d s; those of ackbus never are for over one", seconds)
	}
}
