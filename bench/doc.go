// Command bench measures ackbus on this machine, in one run, against what bounds it and against what it replaces:
//
//   - floor: two raw pub/sub hops over plain sockets with RESP written by hand. Nothing that goes through Redis is faster.
//   - plain: request and reply as one writes them with go-redis: a PUBLISH a message, the default pool, a correlation map.
//   - bus: Bus.Request to a Go handler in another process.
//   - rpc: typed calls of a method in another process, as rpc.Call and rpc.Handle make them.
//   - nats: request and reply over a nats-server, as nats.go does them by default.
//   - gateway: requests to 100 users, confirmed by 100 WebSocket clients on another node.
//   - idle: the resident memory of a WebSocket session that does nothing.
//   - worker, asynq, bullmq: jobs that do nothing, enqueued while nobody works, drained, sent one by one to an idle pool, and
//     (worker alone) with their results awaited.
//
// Requester and responder (with gateway and idle also the clients) are processes of their own, and Redis is a private server in
// another. Bodies are 128 bytes. The systems take turns within each round, so that what else the machine does meets all of
// them; ratios are made within a round, and of the rounds the least, the median and the most are shown. Ratios and the processor
// time of a request are to be trusted more than rates.
//
// nats and asynq are played by a program of bench/peers, a module of its own, which is built into a temporary directory when --only
// names one of them. bullmq is played by one that runs on Node.js, in bench/peers/bullmq; npm installs into a temporary directory what it
// needs. Without node or npm it is left out.
//
// It ends by itself, and takes its processes with it, also when it is killed. Results go to standard output, progress to
// standard error.
package main
