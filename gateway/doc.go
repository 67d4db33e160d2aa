// Package gateway connects clients to the bus: over WebSocket (JSON or msgpack) and over TCP (lines of JSON). Each
// connection is a session, an endpoint of the bus with a socket ID of its own, reachable as that socket, as its user, as a member
// of its groups, and as one of all.
//
// What a client can rely on:
//   - welcome is sent once every address of the session is confirmed by Redis; what arrives in between comes after it.
//   - Messages come in the order in which the bus brought them. One that is sent again is marked redelivered.
//   - An acknowledgement counts once, and only for a message that was written to this very socket.
//   - Frames join, leave and send without a receipt take effect in the order in which they were sent. Frames call and send
//     with a receipt run at the same time as others, without an order.
//
// What can be lost, and how that shows:
//   - The send queue of a session is bounded. A volatile message that would have to wait behind others is dropped. A
//     client that lets its queue fill up is closed as too slow (4008); what was not written is reported as dropped.
//   - A message whose time ran out is not written; it is reported as expired.
//   - When a socket closes, what it had not acknowledged is reported as closed. A message counts as written once it was
//     handed to the kernel: whether the client read it, only an acknowledgement says.
//   - A message that was only published to a client that closes, or that is too slow, is lost without a word: nobody waits for it.
//
// Liveness. A WebSocket is pinged at each interval and closed when two pings in a row bring nothing. TCP has no frame
// that a listening client must answer, so a silent one is not closed: the kernel's keepalive finds a dead peer within about two
// intervals, and TCP_USER_TIMEOUT (Linux) one that stops acknowledging what is written to it. A client of either kind that is
// alive and does not read is found by its queue and by the write timeout.
//
// A session costs one goroutine while it is idle, the reader; a second one writes while the send queue is not empty. What a
// client asks for (join, leave, send, call) runs beside them, bounded by Options.MaxOperations.
package gateway
