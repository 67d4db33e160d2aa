// Package program runs a shell command for one message: the body on standard input, the result from standard output, standard error
// into the log.
//
// A run ends with all that the command has started: its process group is killed when the shell has ended, however it ended. Only what
// leaves the group on purpose (setsid) lives on, and then nothing waits for it. A run whose context ends gets SIGTERM, and SIGKILL a
// second later.
package program
