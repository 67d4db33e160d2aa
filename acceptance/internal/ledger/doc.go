// Package ledger holds what happened to jobs, as those who were there wrote it down, and judges it.
//
// There are two kinds of witnesses. Each process that enqueues, awaits or works appends to an event file of its own, one line a write,
// so that what it wrote outlives its own kill -9. And Redis's append-only file has every job that was taken in, every start, with its
// token, and every completion, in the order in which Redis carried them out. Neither knows of the other; Judge holds them together.
package ledger
