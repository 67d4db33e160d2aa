// Package link is a TCP connection that can be made bad: late, cut into slices, standing still, swallowing what it accepts, in one
// direction or both. It stands between two processes and owns every goroutine that it starts.
//
// Whoever writes into a bad link is still acknowledged by TCP, as by a proxy or a middle box: for a cut that is not, take the network
// away.
package link
