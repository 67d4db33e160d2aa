// Package role is a process of the benchmark as the benchmark sees it: a program that plays one role, takes orders on its standard input
// and answers them on its standard output. The systems that are compared need not be of one module, but the load and the
// measuring are the same for all of them, and stand here.
package role
