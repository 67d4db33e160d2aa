// Package publisher is a process of a fault run that makes requests, over HTTP at nodes or as a member of the bus itself, and writes down
// each call before it begins and when it has returned.
package publisher
