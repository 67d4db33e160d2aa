package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// A release is a version of Redis, as in 7.0.15.
type release [3]int

func parseRelease(text string) (r release, err error) {
	_, err = fmt.Sscanf(text, "%d.%d.%d", &r[0], &r[1], &r[2])
	return r, err
}

func (r release) String() string { return fmt.Sprintf("%d.%d.%d", r[0], r[1], r[2]) }

func (r release) before(other release) bool { return slices.Compare(r[:], other[:]) < 0 }

// oldest is the oldest release that ackbus is for; what it is tested on is the last of the same series.
var oldest = release{7, 0, 15}

// knownFaults are faults of releases that strike what ackbus does, each with the releases of its series that mended it.
var knownFaults = []struct {
	what   string
	mended []release
}{
	// CVE-2023-41056.
	{"buffers that grow are counted wrongly, and may overflow", []release{{7, 0, 15}, {7, 2, 4}}},
	// CVE-2024-31228.
	{"a long pattern of a PSUBSCRIBE crashes it", []release{{7, 2, 6}, {7, 4, 1}}},
	// https://github.com/redis/redis/pull/15172 and its neighbours
	{"a SUBSCRIBE while memory is short crashes it", []release{{7, 2, 14}, {7, 4, 9}, {8, 2, 6}, {8, 4, 3}, {8, 6, 3}}},
}

// faultOf is the fault that a release has and a later one of its series has not, and that release.
func faultOf(r release) (what string, mended release) {
	for _, known := range knownFaults {
		for _, m := range known.mended {
			if r[0] == m[0] && r[1] == m[1] && r.before(m) && mended.before(m) {
				what, mended = known.what, m
			}
		}
	}
	return what, mended
}

// server asks what it is that answers.
func (d *diagnosis) server(ctx context.Context) error {
	info, err := d.info(ctx, "server")
	if errors.Is(err, errEmbedded) {
		d.embedded, d.noInfo = true, true
		d.faultf("server", "start a redis-server and give its URL with --redis", "an embedded Redis (miniredis), for development only: "+
			"one stopped reader can hold everybody up, and no message is safe from being lost in silence")
		return nil
	}
	if err != nil {
		d.noInfo = true
		return d.unseen("server", "+info", "version, role, connections and memory", err)
	}
	switch info["redis_mode"] {
	case "cluster":
		d.faultf("server", "give a Redis that is no cluster, or Sentinels: redis+sentinel://host:26379/mymaster",
			"a node of a Redis Cluster, where PUBLISH counts the subscribers of that node alone: nobody could say that nobody is there")
		return nil
	case "sentinel":
		d.noInfo = true
		d.faultf("server", "give it as what it is: redis+sentinel://"+d.link.addr+"/mymaster", "a Sentinel, which carries no messages")
		return nil
	}
	if valkey := info["valkey_version"]; valkey != "" {
		d.notef("server", "", "Valkey %s: what ackbus needs of it is as in Redis, but it is not tested with it", valkey)
		return nil
	}
	d.version(info["redis_version"])
	return nil
}

func (d *diagnosis) version(text string) {
	r, err := parseRelease(text)
	if err != nil {
		d.notef("server", "", "it names no version that is known here: %q", text)
		return
	}
	if r[0] < oldest[0] {
		d.faultf("server", fmt.Sprintf("install %v or later", oldest), "Redis %v is older than anything that ackbus is tested with", r)
		return
	}
	if what, mended := faultOf(r); what != "" {
		fix := fmt.Sprintf("install %v or a later one of its series, or a package that has the mend", mended)
		d.faultf("server", fix, "Redis %v: %s", r, what)
		return
	}
	d.goodf("server", "Redis %v", r)
}

// replication asks for the role: what is published to a replica stays there.
func (d *diagnosis) replication(ctx context.Context) error {
	if d.noInfo {
		return nil
	}
	info, err := d.info(ctx, "replication")
	if err != nil {
		return err
	}
	switch role := info["role"]; role {
	case "master":
		d.goodf("role", "master, with %s replicas", info["connected_slaves"])
	case "slave":
		d.faultf("role", fmt.Sprintf("give the master, redis://%s:%s, or the Sentinels", info["master_host"], info["master_port"]),
			"a replica: what is published there reaches nobody at the master, and a failover goes unseen")
	default:
		d.notef("role", "", "it does not say what it is: %q", role)
	}
	return nil
}

// clients asks whether there is room for nodes.
func (d *diagnosis) clients(ctx context.Context) error {
	if d.noInfo {
		return nil
	}
	info, err := d.info(ctx, "clients")
	if err != nil {
		return err
	}
	used, known := whole(info["connected_clients"])
	most, bounded := whole(info["maxclients"])
	switch {
	case !known || !bounded:
		d.notef("connections", "", "it does not say how many it takes")
	case used*5 > most*4:
		d.faultf("connections", d.command(fmt.Sprintf("CONFIG SET maxclients %d", max(4*most, 10_000))),
			"%d of %d are taken; a node needs one, and one for each lane", used, most)
	default:
		d.goodf("connections", "%d of %d are taken; a node needs one, and one for each lane", used, most)
	}
	return nil
}
