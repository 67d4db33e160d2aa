// Package bus is a request/reply bus over Redis pub/sub whose requests end in a receipt: which node delivered to which
// endpoint, and whether the endpoint confirmed.
//
//	b, err := bus.Open(ctx, "redis://localhost:6379", nil)
//	receipt, err := b.Request(ctx, bus.User("42"), "payment.settled", bus.JSON(payment))
//
// # Guarantees
//
//  1. One outcome. Every request ends exactly once, by its deadline plus 50 ms, whatever is killed.
//  2. A receipt never claims more than it knows. Confirmed only when the endpoint itself acknowledged; written means
//     handed to the kernel, or to the handler. Where a node fell silent the outcome is unknown, never "not delivered".
//  3. No receiver is no guess. It is said only when Redis counted nobody, or every node that was counted said that it holds
//     nobody, while the subscriptions of every member stood.
//  4. Sent again, done once. Until it is claimed a request is sent again under its ID; until it is settled its nodes are
//     asked. A restart of Redis in the middle costs time, not the receipt. An endpoint gets an ID once, unless its
//     first outcome did not meet the requirement and the caller sent it again under the same ID.
//  5. Order. Messages of one publisher to one address reach an endpoint in the order in which they were handed over. One that had
//     to be sent again may come later, and is marked as redelivered. Between addresses there is no order.
//  6. No silent loss. Every queue is bounded; what does not fit is refused to the publisher, or reported in the receipt.
//  7. Death is noticed. Requests that a node had claimed end as unknown with its name within 1 s of its process's death, and
//     within 3 s of a cut or a stop. Nothing is delivered later than its deadline plus 2.5 s.
//
// # What is not guaranteed
//
// Nothing is stored: a message to somebody who is not there is not kept for later. What is only published (Publish) may be lost
// with a connection, and nobody learns of it. A written message may still be on its way when the process of the
// client dies: without its acknowledgement the outcome is unconfirmed or closed, not "not seen". An endpoint that appears while a
// request is under way may or may not receive it.
//
// # How it is built
//
// The publisher's side of all requests of a node is one state machine (requests), the node's side another (claims). They know
// neither goroutines nor clocks nor sockets: events go in, packets come out, and so they run under virtual time in the tests. Bus
// drives them with what the relay brings. See docs/protocol.md for the envelopes.
package bus
