// Package client is a process of clients of a fault run: over WebSocket with JSON and msgpack, and over TCP. It shares no code with the
// product, writes down what it sees and says, and does what a good client should: it recognises an ID that it has handled,
// acknowledges it again, and connects again when its connection falls.
package client
