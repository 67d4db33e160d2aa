package chaos

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ackbus/ackbus/internal/chaos/history"
	"github.com/ackbus/ackbus/internal/pause"
)

// measures are what a node is asked for at the start and at the end, by the names in histories.
var measures = map[string]string{
	"go_goroutines":                "goroutines",
	"process_open_fds":             "descriptors",
	"go_memstats_heap_inuse_bytes": "heap_bytes",
	"ackbus_requests_pending":      "requests_pending",
	"ackbus_deliveries_awaited":    "deliveries_awaited",
	"ackbus_connections":           "connections",
	"ackbus_session_queue_bytes":   "queue_bytes",
	"ackbus_outbox_bytes":          "outbox_bytes",
	"ackbus_nodes":                 "nodes",
}

// forgetTime is within what nodes have forgotten IDs that a caller chose (10 s and 30 s), and left the channels of those (10 s more).
const forgetTime = 75 * time.Second

// gauge measures everything once.
func (c *cluster) gauge(ctx context.Context) (map[string]map[string]float64, error) {
	all := make(map[string]map[string]float64)
	for _, n := range c.nodes {
		values, err := n.gauge(ctx)
		if err != nil {
			return nil, err
		}
		all[n.name] = values
	}
	var err error
	all["redis"], err = c.gaugeRedis(ctx)
	return all, err
}

func (n *node) gauge(ctx context.Context) (map[string]float64, error) {
	response, err := n.fetch(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return readMetrics(response.Body)
}

// readMetrics sums up each measure over its labels.
func readMetrics(text io.Reader) (map[string]float64, error) {
	values := make(map[string]float64)
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 2 {
			continue
		}
		name, _, _ := strings.Cut(words[0], "{")
		measure, wanted := measures[name]
		if !wanted {
			continue
		}
		value, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			return nil, fmt.Errorf("chaos: %s: %w", lines.Text(), err)
		}
		values[measure] += value
	}
	return values, lines.Err()
}

func (c *cluster) gaugeRedis(ctx context.Context) (map[string]float64, error) {
	admin := c.redis.Client()
	defer admin.Close()
	keys, err := c.countKeys(ctx)
	if err != nil {
		return nil, err
	}
	channels, err := admin.PubSubChannels(ctx, "*").Result()
	if err != nil {
		return nil, err
	}
	connections, err := admin.ClientList(ctx).Result()
	if err != nil {
		return nil, err
	}
	return map[string]float64{"keys": float64(keys), "channels": float64(len(channels)),
		"connections": float64(strings.Count(connections, "\n"))}, nil
}

func (c *cluster) writeGauges(when string, all map[string]map[string]float64) {
	for who, values := range all {
		c.log.Append(history.Event{Kind: history.Gauge, Actor: who, Text: when, Values: values})
	}
}

// gaugeUntilEmpty measures until nothing is left over, or time is up: subscriptions stay for 10 s, the collector takes its time. Whether
// what is left is too much is not for this program to say.
func (c *cluster) gaugeUntilEmpty(ctx context.Context, before map[string]map[string]float64) error {
	ctx, cancel := context.WithTimeout(ctx, forgetTime)
	defer cancel()
	for {
		now, err := c.gauge(ctx)
		if err == nil && empty(now, before) || !pause.For(ctx, 250*time.Millisecond) {
			c.writeGauges("end", now)
			return err
		}
	}
}

func empty(now, before map[string]map[string]float64) bool {
	for who, values := range before {
		for measure, value := range values {
			if measure != "heap_bytes" && now[who][measure] > value {
				return false
			}
		}
	}
	return true
}
