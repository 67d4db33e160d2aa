package rpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ackbus/ackbus/bus"
)

// Methods lists the methods of the cluster by name, with their descriptions and what each instance has counted. Every node
// that serves any is asked; ctx bounds the call. Where some did not answer, the rest is returned together with an error
// that names them.
func (c *Client) Methods(ctx context.Context) ([]Method, error) {
	c.await(ctx, "")
	var ask []bus.Node
	for _, node := range c.bus.Nodes() {
		if node.Methods > 0 {
			ask = append(ask, node)
		}
	}
	answers := c.describeAll(ctx, ask)
	listed := make(map[string]*Method)
	var failed []error
	for i, a := range answers {
		if a.err != nil {
			failed = append(failed, fmt.Errorf("rpc: node %s does not say what it serves: %w", ask[i].Name, a.err))
		}
		for _, d := range a.methods {
			m := listed[d.Name]
			if m == nil {
				m = &Method{Name: d.Name, Version: d.Version, Description: d.Description, Idempotent: d.Idempotent, Streaming: d.Streaming,
					Request: d.Request, Reply: d.Reply}
				listed[d.Name] = m
			}
			m.add(ask[i], d)
		}
	}
	all := make([]Method, 0, len(listed))
	for _, m := range listed {
		slices.SortFunc(m.Instances, func(a, b Instance) int {
			return strings.Compare(a.Node+"\x00"+a.NodeID.String(), b.Node+"\x00"+b.NodeID.String())
		})
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Method) int { return strings.Compare(a.Name, b.Name) })
	return all, errors.Join(failed...)
}

// add adds an instance. Where instances differ, the method is idempotent if all of them are.
func (m *Method) add(at bus.Node, d description) {
	in := Instance{Node: at.Name, NodeID: at.ID, Version: d.Version, Draining: at.Draining}
	if d.Stats != nil {
		in.Stats = d.Stats.stats()
	}
	m.Idempotent = m.Idempotent && d.Idempotent
	m.Instances = append(m.Instances, in)
}

// describeAll asks nodes for everything, several at a time. The answers stand in the order of the nodes.
func (c *Client) describeAll(ctx context.Context, ask []bus.Node) []fetched {
	answers := make([]fetched, len(ask))
	done := make(chan struct{}, len(ask))
	slots := make(chan struct{}, fetchAtOnce)
	for i, node := range ask {
		if !c.group.Go(func() {
			slots <- struct{}{}
			methods, err := c.describe(ctx, node.ID, true)
			answers[i] = fetched{node, methods, err}
			<-slots
			done <- struct{}{}
		}) {
			answers[i] = fetched{node: node, err: errClientClosed()}
			done <- struct{}{}
		}
	}
	for range ask {
		<-done
	}
	return answers
}
