// Package history is what the actors of a fault run leave behind: files of lines, one an event, on one clock. Whoever judges a run
// reads these files and nothing else.
//
// An event is in the kernel's hands when Append returns, so a process that is killed loses none. Times are those of the machine's
// monotonic clock, the same in every process; histories of two machines, or of two boots, can't be merged.
package history
