#!/usr/bin/env node
// Plays a role of BullMQ in the benchmark: orders come as lines of JSON on standard input, and are answered on standard output, as
// bench/internal/role has them. Queue and Worker have their defaults, but for removeOnComplete: like the others, BullMQ keeps nothing of a
// job that is done. Its documentation advises to set it in production.
'use strict';

const readline = require('node:readline');
const { Queue, Worker } = require('bullmq');

const queueName = 'bench';
const bodySize = 128; // of a job, as JSON
const trickleEvery = 5; // ms
const patience = 30_000; // ms

// now is in nanoseconds, by a clock that all processes of the machine share.
const now = () => Number(process.hrtime.bigint());
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function newJob() {
  const job = { sent: now(), text: '' };
  job.text = 'x'.repeat(bodySize - JSON.stringify(job).length);
  return job;
}

// percentiles adds what latencies, in nanoseconds, come to.
function percentiles(sample, latencies) {
  const sorted = Float64Array.from(latencies).sort();
  const at = (share) => (sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  return Object.assign(sample, { p50_ns: at(0.5), p99_ns: at(0.99), max_ns: at(1) });
}

function producer(connection) {
  const queue = new Queue(queueName, { connection });
  const add = () => queue.add('job', newJob(), { removeOnComplete: true, removeOnFail: true });
  return {
    ready: () => queue.waitUntilReady(),
    close: () => queue.close(),
    acts: {
      // So many producers at once, the next job of each following its last, first to warm up.
      async enqueue(order) {
        const sample = { requests: 0, jobs: 0, failures: 0, elapsed_ns: 0 };
        const latencies = [];
        const starts = now() + (order.warmup || 0);
        const ends = starts + order.measured;
        const one = async () => {
          while (now() < ends) {
            const began = now();
            try {
              await add();
            } catch (err) {
              sample.failures++;
              sample.failure ??= String(err);
              continue;
            }
            const ended = now();
            sample.jobs++;
            if (ended >= starts && ended < ends) {
              sample.requests++;
              latencies.push(ended - began);
            }
          }
        };
        await Promise.all(Array.from({ length: order.in_flight }, one));
        sample.elapsed_ns = order.measured;
        return percentiles(sample, latencies);
      },
      // One at a time, with pauses.
      async trickle(order) {
        const sample = { requests: 0, jobs: 0, failures: 0, elapsed_ns: 0 };
        for (const began = now(); sample.elapsed_ns < order.measured; sample.elapsed_ns = now() - began) {
          await add();
          sample.jobs++;
          await pause(trickleEvery);
        }
        return sample;
      },
    },
  };
}

function pool(connection) {
  let shift = null;
  const acts = {
    async open(order) {
      if (shift) throw new Error('the pool is open');
      shift = { began: now(), last: 0, waits: [], wanted: Infinity, reached: () => {} };
      const s = shift;
      const start = async (job) => {
        s.last = now();
        s.waits.push(s.last - job.data.sent);
        if (s.waits.length === s.wanted) s.reached();
      };
      s.worker = new Worker(queueName, start, {
        connection, concurrency: order.in_flight, removeOnComplete: { count: 0 }, removeOnFail: { count: 0 },
      });
      s.worker.on('error', (err) => console.error('bullmq:', err));
      await s.worker.waitUntilReady();
      return {};
    },
    // Once so many jobs have started, ends; tells how long they took to start.
    async close(order) {
      if (!shift) throw new Error('the pool is not open');
      const s = shift;
      shift = null;
      const wanted = order.jobs || 0;
      let timer;
      const reached = new Promise((resolve) => { s.wanted = wanted; s.reached = resolve; });
      const late = new Promise((resolve) => { timer = setTimeout(resolve, patience, 'late'); });
      const how = s.waits.length >= wanted ? '' : await Promise.race([reached, late]);
      clearTimeout(timer);
      const sample = percentiles({ requests: s.waits.length, jobs: s.waits.length, elapsed_ns: Math.max(s.last - s.began, 0) }, s.waits);
      await s.worker.close();
      if (how === 'late') throw new Error(`${sample.jobs} jobs started, not ${wanted}`);
      return sample;
    },
    async drain(order) {
      await acts.open(order);
      return acts.close(order);
    },
  };
  return { ready: async () => {}, close: async () => {}, acts };
}

function usage() {
  const cpu = process.cpuUsage();
  const memory = process.memoryUsage();
  return { cpu_ns: (cpu.user + cpu.system) * 1000, resident: memory.rss, heap: memory.heapUsed, stacks: 0, goroutines: 0 };
}

const roles = { 'bullmq-producer': producer, 'bullmq-pool': pool };

async function main() {
  process.on('SIGINT', () => {}); // of the terminal: the one who started it ends it
  const make = roles[process.argv[3]];
  if (process.argv[2] !== 'role' || !make) throw new Error('this is started by the benchmark: go run ./bench -h');
  const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n');
  let actor = null;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    if (!actor) {
      const [host, port] = order.redis.split(':');
      actor = make({ host, port: Number(port) });
      await actor.ready();
      say({});
      continue;
    }
    try {
      const act = order.act ? actor.acts[order.act] : async () => ({});
      if (!act) throw new Error('this role does not ' + order.act);
      const load = await act(order);
      say({ load, usage: usage() });
    } catch (err) {
      say({ error: String(err) });
    }
  }
  await actor?.close();
}

main().then(() => process.exit(0), (err) => {
  console.error('bullmq:', err);
  process.exit(1);
});
