package worker_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/ackbus/ackbus/bus"
	"github.com/ackbus/ackbus/internal/run"
	"github.com/ackbus/ackbus/worker"
)

// open attaches to a Redis of its own, which an example needs to run anywhere.
func open(ctx context.Context) (jobs *worker.Jobs, end func()) {
	server := miniredis.NewMiniRedis()
	if err := server.Start(); err != nil {
		panic(err)
	}
	url, quiet := "redis://"+server.Addr(), slog.New(slog.DiscardHandler)
	b, err := bus.Open(ctx, url, &bus.Options{Name: "node-1", Logger: quiet})
	if err != nil {
		panic(err)
	}
	jobs, err = worker.Open(ctx, b, url, &worker.Options{Logger: quiet})
	if err != nil {
		panic(err)
	}
	return jobs, func() {
		_ = jobs.Close()
		_ = b.Close()
		server.Close()
	}
}

// work runs a pool until end is called.
func work(p *worker.Pool) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	group := run.New(ctx)
	group.Go(func() {
		if err := p.Run(ctx); err != nil {
			fmt.Println(err)
		}
	})
	return func() {
		cancel()
		group.Stop()
		group.Wait()
	}
}

// A caller awaits what a worker somewhere in the cluster makes of its job.
func ExampleCall() {
	ctx := context.Background()
	jobs, end := open(ctx)
	defer end()
	pool := jobs.Pool(nil)
	worker.Handle(pool, "sums", func(_ context.Context, numbers []int) (int, error) {
		sum := 0
		for _, n := range numbers {
			sum += n
		}
		return sum, nil
	})
	stop := work(pool)
	defer stop()
	sum, err := worker.Call[int](ctx, jobs.Queue("sums"), []int{1, 2, 3})
	fmt.Println(sum, err)
	// Output: 6 <nil>
}

// A job that was enqueued runs whether anybody waits or not; a result that is kept can be read later.
func ExampleQueue_Enqueue() {
	ctx := context.Background()
	jobs, end := open(ctx)
	defer end()
	mails := jobs.Queue("mails")
	for range 2 { // the second changes nothing
		id, err := mails.Enqueue(ctx, "welcome, Ada", worker.WithID("welcome-42"), worker.Keep(time.Hour))
		fmt.Println(id, err)
	}
	_, err := mails.Result(ctx, "welcome-42")
	fmt.Println(errors.Is(err, worker.ErrNotFinished))

	pool := jobs.Pool(nil)
	worker.Handle(pool, "mails", func(_ context.Context, text string) (string, error) { return "sent: " + text, nil })
	stop := work(pool)
	defer stop()
	result, err := mails.Await(ctx, "welcome-42")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(result.Body.Raw()), "by", result.Worker)
	// Output:
	// welcome-42 <nil>
	// welcome-42 <nil>
	// true
	// "sent: welcome, Ada" by node-1
}

// What a handler returns steers its job. Dead jobs can be looked at, and tried again.
func ExampleReject() {
	ctx := context.Background()
	jobs, end := open(ctx)
	defer end()
	payments := jobs.Queue("payments")
	pool := jobs.Pool(nil)
	worker.Handle(pool, "payments", func(_ context.Context, amount int) (string, error) {
		if amount < 0 {
			return "", worker.Reject(bus.Reject("bad_amount", "it is negative"))
		}
		return "paid", nil
	})
	stop := work(pool)
	defer stop()
	_, err := worker.Call[string](ctx, payments, -1, worker.WithID("p-1"))
	fmt.Println(errors.Is(err, worker.ErrDead), err)
	dead, err := payments.Dead(ctx, 0, 10)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, job := range dead.Jobs {
		fmt.Println(job.ID, job.Code, len(job.Attempts), job.Attempts[0].Worker, job.Attempts[0].Error)
	}
	// Output:
	// true worker: job p-1: bad_amount after attempt 1 at node-1: bad_amount: it is negative
	// p-1 bad_amount 1 node-1 bad_amount: it is negative
}

// Map is fan-out and fan-in: as many jobs as may be in flight, results as they come.
func ExampleMap() {
	ctx := context.Background()
	jobs, end := open(ctx)
	defer end()
	pool := jobs.Pool(nil)
	worker.Handle(pool, "squares", func(_ context.Context, n int) (int, error) { return n * n, nil })
	stop := work(pool)
	defer stop()
	var numbers iter.Seq[any] = func(yield func(any) bool) {
		for n := range 5 {
			if !yield(n) {
				return
			}
		}
	}
	var squares []int
	for square, err := range worker.Map[int](ctx, jobs.Queue("squares"), numbers, worker.InFlight(2)) {
		if err != nil {
			fmt.Println(err)
			return
		}
		squares = append(squares, square.Value)
	}
	slices.Sort(squares)
	fmt.Println(squares)
	// Output: [0 1 4 9 16]
}

// Every node of a cluster runs the schedule; each tick becomes one job.
func ExamplePool_Schedule() {
	ctx := context.Background()
	jobs, end := open(ctx)
	defer end()
	fired := make(chan worker.JobID, 10)
	for range 3 {
		pool := jobs.Pool(nil)
		pool.Schedule(worker.Schedule{Name: "every-second", Queue: "ticks", Cron: "* * * * * *", Job: "tick"})
		worker.Handle(pool, "ticks", func(ctx context.Context, _ string) (int, error) {
			job, _ := worker.JobOf(ctx)
			fired <- job.ID
			return 0, nil
		})
		stop := work(pool)
		defer stop()
	}
	first, second := <-fired, <-fired
	fmt.Println(first != second)
	// Output: true
}

// Limits hold over the whole cluster.
func ExampleQueue_SetLimits() {
	ctx := context.Background()
	jobs, end := open(ctx)
	defer end()
	q := jobs.Queue("reports")
	if err := q.SetLimits(ctx, worker.Limits{Length: 1, Running: 4, Rate: 100}); err != nil {
		fmt.Println(err)
		return
	}
	_, err := q.Enqueue(ctx, "first")
	fmt.Println(err)
	_, err = q.Enqueue(ctx, "second")
	fmt.Println(errors.Is(err, worker.ErrQueueFull))
	info, err := q.Info(ctx)
	fmt.Println(info.Waiting, info.Limits.Running, err)
	// Output:
	// <nil>
	// true
	// 1 4 <nil>
}

// A handler tells those who wait how far it is.
func ExampleProgress() {
	ctx := context.Background()
	jobs, end := open(ctx)
	defer end()
	told := make(chan struct{})
	pool := jobs.Pool(nil)
	pool.HandleBody("films", func(ctx context.Context, job *worker.Job) (bus.Body, error) {
		if err := worker.Progress(ctx, 50); err != nil {
			return bus.Body{}, err
		}
		<-told
		return job.Body, nil
	})
	stop := work(pool)
	defer stop()
	result, err := jobs.Queue("films").CallBody(ctx, "cut", worker.OnProgress(func(percent bus.Body) {
		fmt.Println(string(percent.Raw()), "%")
		close(told)
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(result.Body.Raw()))
	// Output:
	// 50 %
	// "cut"
}
