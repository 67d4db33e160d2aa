// Package api is the HTTP API of a node: publishers in any language post a message and read back its receipt.
//
// What it promises: a request is answered once, by its timeout plus what the bus allows itself; a receipt is passed on as the bus
// made it, whatever its outcome; input that is wrong is answered with a 4xx that names the field and says what is allowed, and nothing
// was sent then. What it does not: an answer that is lost on its way back says nothing about the request. A publisher
// that may post again chooses an id or an Idempotency-Key, and joins its own first request.
//
// A publisher that hangs up ends its request at once; what was already delivered stays delivered. Who awaits a job and hangs up, or does
// not wait long enough, changes nothing for the job: it goes on.
package api
