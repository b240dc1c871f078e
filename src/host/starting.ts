/**
 * Starts workers, and explains a failed start: what is missing and which limit to raise.
 *
 * Place: `worker-thread.ts` reports how its thread failed, `worker-fleet.ts` starts them all.
 */
import { ERROR_CODES, Lb4Error, systemCode, wordsOf } from '../errors.ts';

/** What limits the threads of this process, as far as the system reports it. */
export interface ThreadLimits {
  /** `pids.max` of its cgroup. */
  readonly cgroup: number | undefined;
  /** `ulimit -u`; undefined where it does not apply. */
  readonly user: number | undefined;
}

/** Node's code for a thread that the system has refused. */
const NO_THREAD = 'ERR_WORKER_INIT_FAILED';

/** The error that a worker died of; one from the other thread is a copy without its class. */
export function workerFailure(cause: unknown, exitCode: number | undefined): Error {
  if (cause === undefined) return new Error(`exit code ${exitCode ?? 0}`);
  if (!(cause instanceof Error)) return new Error(wordsOf(cause));
  const code = systemCode(cause);
  if (code === NO_THREAD) return new Error(`the system gives it no thread: ${cause.message}`, { cause });
  const known = ERROR_CODES.find(each => each === code);
  return known === undefined ? cause : new Lb4Error(known, cause.message, { cause });
}

/** Starts all workers; waits until each has started or failed, because none may be ended while it loads. */
export async function startAll(
  workers: readonly { start(): Promise<void> }[],
  limits: () => ThreadLimits,
): Promise<void> {
  const results = await Promise.allSettled(workers.map(worker => worker.start()));
  const failures = results.flatMap(result =>
    result.status === 'rejected' && result.reason instanceof Error ? [result.reason] : [],
  );
  if (failures.length > 0) throw fleetFailure(failures, workers.length, limits);
}

/** The one error to report for a start, of those that its workers failed with. */
function fleetFailure(failures: readonly Error[], workers: number, limits: () => ThreadLimits): Error {
  const [first = new Error('no worker')] = failures;
  const known = failures.find(failure => failure instanceof Lb4Error);
  if (known !== undefined) return known;
  const isThreadMissing = failures.some(({ cause }) => cause instanceof Error && isOutOfThreads(cause));
  const advice = isThreadMissing ? `; ${threadAdvice(limits())}` : '';
  return new Lb4Error(
    'LB4_WORKER_FAILED',
    `${failures.length} of ${workers} workers could not be started: ${first.message}${advice}`,
    { cause: first },
  );
}

function isOutOfThreads(error: Error): boolean {
  return systemCode(error) === NO_THREAD && error.message.includes('EAGAIN');
}

function threadAdvice({ cgroup, user }: ThreadLimits): string {
  const limits = [
    ...(cgroup === undefined ? [] : [`pids.max of its cgroup, ${cgroup}`]),
    ...(user === undefined ? [] : [`ulimit -u, ${user}`]),
  ];
  const which = limits.length === 0 ? 'kernel.threads-max' : limits.join(', or ');
  return `each worker is a thread, beside about 11 of Node's own: raise the limit (${which}) or take fewer workers`;
}
