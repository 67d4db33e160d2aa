// Package judge holds the history of a fault run against the guarantees. It knows what was promised to publishers and clients, and
// nothing of how it is done: it reads what the actors wrote down, and imports nothing of the product.
//
// Each rule says how many cases it looked at, so that a run in which a rule had nothing to judge is not taken for one that passed it.
//
// What is excused: a process that did not run can't be in time, so a stall that a watchdog measured is added to every bound. A stall of a
// second and more is a fault in itself. Within a fault a promise is excused only as far as the promise itself says so.
package judge
