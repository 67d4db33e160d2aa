// Package chaos runs a cluster of real processes through faults that a seed draws, and has what they wrote down judged: a redis-server,
// three nodes, clients on all carriers, publishers over HTTP and on the bus, instances that serve methods and their caller, workers and
// the clerk who enqueues their jobs.
//
// The seed decides the schedule and what everybody is about to do; the machine decides what comes first. So a seed that failed
// is likely, not certain, to fail again; the histories stay in their directory and can be judged again.
//
// See the packages history, judge, link, client, publisher, method and job, and docs/faults.md.
package chaos
