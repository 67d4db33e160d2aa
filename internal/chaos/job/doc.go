// Package job has two actors of a fault run: a workman, whose pool works at a queue, and a clerk, who enqueues jobs and awaits some of
// them. Both write down what they do and see.
package job
