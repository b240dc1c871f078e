/**
 * What lb4 reports to the service manager that has started it (sd_notify(3)).
 *
 * Place: `lb4 run` makes one and passes it to what has something to report. Where `NOTIFY_SOCKET` is unset nothing is
 * ever sent or loaded.
 * How: a datagram to the socket in `NOTIFY_SOCKET`, through the C library; where that cannot be loaded, by
 * `systemd-notify`, which needs `NotifyAccess=all` unless lb4 is root.
 * Invariants:
 * - Reports arrive in their order, each in one datagram; one for which the receiver has no room is sent again.
 * - After `handOver` nothing is sent: the process that took over is the service now.
 * - A report never fails: `onFailed` is called for the first one that cannot be delivered.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { wordsOf } from '../../errors.ts';
import { sendDatagram } from '../../linux/datagram.ts';
import type { LibcResult } from '../../linux/libc.ts';
import { printable } from '../../support/printable.ts';
import type { SetTimer } from '../../support/timer.ts';

export interface ServiceManager {
  /** It serves clients; also the end of a reload. */
  ready(status: string): void;
  /** A reload begins; `ready` follows, whether it succeeds or not. */
  reloading(): void;
  stopping(status: string): void;
  /** A line for `systemctl status`. */
  status(status: string): void;
  /** It is alive: expected more often than `WATCHDOG_USEC` says. */
  alive(): void;
  /** Another process is the service's main process from now on. */
  handOver(pid: number): void;
}

export interface ServiceManagerDeps {
  readonly env: NodeJS.ProcessEnv;
  /** Called only where it is needed. */
  loadLibc(): LibcResult;
  readonly setTimer: SetTimer;
  /** Microseconds of CLOCK_MONOTONIC. */
  monotonicUs(): bigint;
  /** Runs `systemd-notify` with these arguments; rejects when that fails. */
  readonly notify?: (args: readonly string[]) => Promise<void>;
  onFailed(reason: string): void;
}

const AGAIN_MS = 100;
const AGAIN = ['EAGAIN', 'ENOBUFS', 'EMFILE', 'ENFILE', 'ENOMEM'];
/** Reports that may wait at a receiver that takes none. */
const MOST_WAITING = 100;

type Send = (report: string) => Promise<string | undefined> | string | undefined;

export function createServiceManager(deps: ServiceManagerDeps): ServiceManager {
  const to = deps.env['NOTIFY_SOCKET'];
  const reports = to === undefined || to === '' ? undefined : new Reports(sender(to, deps), deps);
  const send = (...lines: string[]): void => reports?.add(lines.join('\n'));
  return {
    ready: status => send('READY=1', statusLine(status)),
    reloading: () => send('RELOADING=1', `MONOTONIC_USEC=${deps.monotonicUs()}`),
    stopping: status => send('STOPPING=1', statusLine(status)),
    status: status => send(statusLine(status)),
    alive: () => reports?.addUnlessBehind('WATCHDOG=1'),
    handOver: pid => {
      send(`MAINPID=${pid}`);
      reports?.end();
    },
  };
}

/** CLOCK_MONOTONIC on Linux. */
export function monotonicUs(): bigint {
  return process.hrtime.bigint() / 1_000n;
}

function statusLine(status: string): string {
  return `STATUS=${printable(status)}`;
}

function sender(to: string, deps: ServiceManagerDeps): Send {
  const loaded = deps.loadLibc();
  const { notify = runSystemdNotify } = deps;
  // Any other form is newer than this code; the system's own program knows it.
  if (loaded.ok && /^[/@]/.test(to) && Buffer.byteLength(to) < 108)
    return report => sendDatagram(loaded.libc, { kind: 'unix', path: to }, report);
  return report =>
    notify(report.split('\n')).then(
      () => undefined,
      (error: unknown) => wordsOf(error),
    );
}

async function runSystemdNotify(args: readonly string[]): Promise<void> {
  await promisify(execFile)('systemd-notify', args);
}

/** Reports on their way, one after the other. */
class Reports {
  readonly #send: Send;
  readonly #deps: ServiceManagerDeps;
  readonly #waiting: string[] = [];
  #isSending = false;
  #isEnded = false;
  #hasFailed = false;

  constructor(send: Send, deps: ServiceManagerDeps) {
    this.#send = send;
    this.#deps = deps;
  }

  add(report: string): void {
    if (this.#isEnded || this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.push(report);
    if (!this.#isSending) void this.#sendAll();
  }

  /** Of use only now: left out while others wait. */
  addUnlessBehind(report: string): void {
    if (this.#waiting.length === 0) this.add(report);
  }

  /** What was added before is still sent. */
  end(): void {
    this.#isEnded = true;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (;;) {
      const [report] = this.#waiting;
      if (report === undefined) break;
      const sent = this.#send(report);
      // A datagram is sent within the call: also one of a process that ends in this turn.
      const failure = sent instanceof Promise ? await sent : sent;
      if (failure !== undefined && AGAIN.includes(failure)) {
        this.#deps.setTimer(() => void this.#sendAll(), AGAIN_MS);
        return;
      }
      if (failure !== undefined && !this.#hasFailed) {
        this.#hasFailed = true;
        this.#deps.onFailed(failure);
      }
      this.#waiting.shift();
    }
    this.#isSending = false;
  }
}
