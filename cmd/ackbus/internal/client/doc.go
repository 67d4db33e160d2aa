// Package client is a client of a gateway, over WebSocket or TCP: it takes messages and acknowledges them.
//
// A message that comes again is acknowledged again and not handled again, as far as the client remembers: the last 10,000. When
// the connection falls, an acknowledgement that was not written yet is lost; the gateway's node reports the delivery as closed.
// Acknowledgements are written in the order of the messages. While 4,096 wait to be written, nothing more is read.
package client
