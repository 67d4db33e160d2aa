package ledger

import "github.com/ackbus/ackbus/internal/chaos/aof"

// A Record is what Redis's append-only file says of one job.
type Record = aof.Record

// A Start is one time that a job was given to a worker.
type Start = aof.Start

// ReadAOF reads the append-only files of a redis-server, which must not have rewritten them. It returns the jobs of all queues, by ID.
func ReadAOF(dir string) (map[string]*Record, error) { return aof.Read(dir) }
