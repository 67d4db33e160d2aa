// Package acceptance holds tests of the product as a whole: nodes in processes of their own, a real redis-server, clients on
// all three carriers that share no code with the product, and publishers over HTTP. Nothing here is simulated, so what a test
// of another package shows under virtual time is not repeated.
package acceptance
