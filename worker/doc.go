// Package worker runs jobs that wait in Redis Streams: competing consumers, whose results come back to whoever asked.
//
//	jobs, err := worker.Open(ctx, b, "redis://localhost:6379", nil)
//	sum, err := worker.Call[int](ctx, jobs.Queue("sums"), []int{1, 2, 3})
//
// # Guarantees
//
//  1. A job that was taken in is not lost. Whatever is killed, it is finished, or stands in the dead letters with every attempt, or
//     was deleted or dropped by somebody who said so.
//  2. One worker at a time. Each start of a job has a token that grows. A worker that lost its job (it was stopped, or cut off) can
//     neither complete nor fail it: Redis refuses whatever comes with an older token.
//  3. Completed once. A job is counted as done, and its result told and kept, exactly once.
//  4. A lease that is lost ends the handler's context, before another worker starts the job: unless the whole process was stopped.
//  5. A dead worker's jobs start elsewhere within 2 s of its process's death, within 5 s of a cut or a stop, and before all others.
//  6. Enqueueing under a chosen ID can be repeated: the queue takes it in once.
//  7. A call ends: with the result, or at once with the reason when the job dies, expires, is deleted or dropped, or at its context's
//     end. It ends within 2 s even where the worker died between completing the job and telling of it. A caller that does not reach
//     Redis for the 10 s that an awaited result lies there ends with ErrGone.
//
// # What is not guaranteed
//
// A job's effects may happen more than once: a worker may die after the effect and before Redis learns of it. A stopped process
// (SIGSTOP, a paused machine) can go on with a job that another has taken over meanwhile; Job.Token lets other systems refuse it.
// Jobs start in the order of their line, but retries, take-overs and several workers reorder them. What Redis loses (a crash
// without appendfsync always, a failover) is lost here too; Durable waits for replicas. A caller that dies is not told; its job
// goes on, and its result can be kept.
package worker
