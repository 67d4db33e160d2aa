// Command ackbus runs a node of the bus, and sends and receives on it from the command line.
//
// Results go to standard output, with --json nothing else; logs and progress go to standard error. Every flag can also be set by an
// environment variable: --log-format by ACKBUS_LOG_FORMAT. Exit codes: 0 done, or the requirement was met; 1 another outcome, or
// a failure; 2 wrong usage; 3 Redis can't be reached.
package main
