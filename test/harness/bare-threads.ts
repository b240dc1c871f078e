/**
 * Starts what is under test without the test runner's module hooks: threads and processes as users start them.
 *
 * tap records what each file loads through hooks that Node installs anew in every worker thread and every child
 * process. A balancer with two workers took 3 s to start instead of half a one, and half of the suite's time was that.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Worker, WorkerOptions } from 'node:worker_threads';

// The real module object: an ES namespace cannot be changed.
const threads = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof Worker };

class BareWorker extends threads.Worker {
  constructor(filename: string | URL, options: WorkerOptions = {}) {
    super(filename, { execArgv: [], env: { ...process.env, NODE_OPTIONS: '' }, ...options });
  }
}

threads.Worker = BareWorker;
syncBuiltinESMExports();

/** A command that runs `program` without the hooks; they come by NODE_OPTIONS, whatever a test says of its own. */
export function bare(program: string, args: readonly string[]): [string, string[]] {
  return ['/usr/bin/env', ['-u', 'NODE_OPTIONS', program, ...args]];
}
