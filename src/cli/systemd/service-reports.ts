/**
 * Keeps the service manager informed of a balancer: that it stops, how it is, and that it is alive.
 *
 * Place: `lb4 run`, beside the log. `started` is the caller's, when everything that belongs to a start is done.
 * Watchdog: control reports that it is alive from its own loop, so a control thread that stands still reports nothing.
 * Nor does it where a worker stands still, unless lb4 itself will end that worker (`workerStallTimeout`) and another one
 * moves: the service manager would reset the sessions of those as well.
 */
import type { LoadBalancer } from '../../load-balancer.ts';
import { loadLibc } from '../../linux/libc.ts';
import type { Log } from '../../observe/log.ts';
import { counted } from '../../support/counted.ts';
import { setUnrefTimer, type SetTimer } from '../../support/timer.ts';
import { createServiceManager, monotonicUs, type ServiceManager } from './service-manager.ts';

const STATUS_MS = 10_000;

export interface ServiceReportsDeps {
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly setTimer: SetTimer;
  /** `workerStallTimeout`; 0: never. */
  readonly stallTimeoutMs: number;
  /** The line for `systemctl status`; default: `statusOf`. */
  readonly describe?: (snapshot: Snapshot) => string;
}

/** What a reload reports. */
export interface ReloadedService {
  reloading(): void;
  /** Whether it has gone well or not. */
  reloaded(): void;
}

/** lb4, as a service. */
export interface Service extends ReloadedService {
  started(): void;
  /** The start has failed. */
  failed(why: string): void;
  /** It is going to end for this reason, which stands before every status from now on. */
  crashed(why: string): void;
  /** Another process takes over; to be called when that one is ready. */
  handOver(pid: number): void;
  /** Reports no more by itself. */
  end(): void;
}

/** The service manager of this process, informed of the balancer until `end`. */
export function startService(
  balancer: Reported,
  config: { readonly workerStallTimeout: number },
  log: Log,
): Service {
  const { env, pid } = process;
  const manager = createServiceManager({
    ...{ env, loadLibc, monotonicUs },
    setTimer: setUnrefTimer,
    onFailed: reason =>
      log.write('warn', 'notifyFailed', `the service manager gets no reports: ${reason}`, { reason }),
  });
  const stallTimeoutMs = config.workerStallTimeout;
  let reason = '';
  const describe = (snapshot: Snapshot): string => reason + statusOf(snapshot);
  const deps = { env, pid, stallTimeoutMs, setTimer: setUnrefTimer, describe };
  const end = reportService(balancer, manager, deps);
  return {
    ...serviceOf(balancer, manager),
    crashed: why => {
      reason = `${why}; `;
      manager.stopping(describe(balancer.snapshot()));
    },
    end,
  };
}

/** A reload outside of the state `running` is refused, and is none for the service manager: it knows of the stop. */
export function serviceOf(
  balancer: Pick<Reported, 'snapshot'>,
  manager: ServiceManager,
): Omit<Service, 'crashed' | 'end'> {
  const whileRunning = (report: (snapshot: Snapshot) => void): void => {
    const snapshot = balancer.snapshot();
    if (snapshot.state === 'running') report(snapshot);
  };
  const ready = (): void => whileRunning(snapshot => manager.ready(statusOf(snapshot)));
  return {
    started: ready,
    reloading: () => whileRunning(() => manager.reloading()),
    reloaded: ready,
    failed: why => manager.status(why),
    handOver: pid => manager.handOver(pid),
  };
}

type Reported = Pick<LoadBalancer, 'on' | 'snapshot'>;
type Snapshot = ReturnType<LoadBalancer['snapshot']>;

/** Returns how to end it. Without a service manager it does nothing. */
export function reportService(
  balancer: Reported,
  manager: ServiceManager,
  deps: ServiceReportsDeps,
): () => void {
  const { env, setTimer, describe = statusOf } = deps;
  if ((env['NOTIFY_SOCKET'] ?? '') === '') return () => undefined;
  const everyMs = watchdogMs(env, deps.pid);
  let last = '';
  const ends = [
    balancer.on('drain:delayed', () => manager.stopping(describe(balancer.snapshot()))),
    balancer.on('drain:started', () => manager.stopping(describe(balancer.snapshot()))),
    repeatedly(setTimer, STATUS_MS, () => {
      const status = describe(balancer.snapshot());
      if (status !== last) manager.status(status);
      last = status;
    }),
  ];
  if (everyMs !== undefined) {
    ends.push(
      repeatedly(setTimer, everyMs, () => {
        if (moves(balancer.snapshot(), deps.stallTimeoutMs > 0)) manager.alive();
      }),
    );
  }
  return () => {
    for (const end of ends) end();
  };
}

/** For `systemctl status`: what it is doing, in a line. */
export function statusOf({ state, listeners, sessions, upstreams }: Snapshot): string {
  const backends = upstreams.flatMap(upstream => upstream.backends);
  const taking = backends.filter(({ takesSessions }) => takesSessions).length;
  return [
    state,
    counted(listeners.length, 'listener'),
    counted(sessions, 'session'),
    `${taking} of ${counted(backends.length, 'backend')} ${taking === 1 ? 'takes' : 'take'} sessions`,
  ].join(', ');
}

/** How often to report that it is alive: twice as often as is asked for; undefined: it is not asked for. */
function watchdogMs(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const us = Number(env['WATCHDOG_USEC']);
  const forPid = env['WATCHDOG_PID'];
  if (!(us > 0) || !Number.isFinite(us) || (forPid !== undefined && forPid !== String(pid))) return undefined;
  return Math.max(us / 2_000, 1);
}

function moves({ workers }: Pick<Snapshot, 'workers'>, endsStalled: boolean): boolean {
  if (workers.length === 0) return true;
  const isWell = workers.some(({ state }) => state === 'running');
  return isWell && (endsStalled || workers.every(({ state }) => state !== 'stalled'));
}

function repeatedly(setTimer: SetTimer, everyMs: number, work: () => void): () => void {
  let cancel = (): void => undefined;
  const wait = (): void => {
    cancel = setTimer(() => {
      wait();
      work();
    }, everyMs);
  };
  wait();
  return () => cancel();
}
