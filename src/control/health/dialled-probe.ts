/**
 * Probes that talk over a socket of Node's: connects, lets the probe talk, and ends both when the time is over.
 *
 * Place: HTTP and TLS probes, whose protocols Node speaks.
 */
import type { Socket } from 'node:net';
import type { Address } from '../../support/address.ts';
import { startAttempt } from './attempt.ts';
import { noAnswer } from './no-answer.ts';
import type { Probe, ProbeResult, ProbeTarget } from './probe.ts';
import { reach, type ReachDeps } from './reach.ts';

export interface ProbeTalk {
  readonly target: ProbeTarget;
  /** The talk handles its events, and closes it. */
  readonly socket: Socket;
  /** Of the address that was dialled. */
  readonly kind: Address['kind'];
  /** Ends the probe with a result; later results are ignored. */
  readonly settle: (result: ProbeResult) => void;
  /** What the probe results in when its time is over. Default: that there was no answer. */
  readonly atDeadline: (result: ProbeResult) => void;
}

/** @param timeoutMs for connecting and talking together */
export function createDialledProbe(
  timeoutMs: number,
  deps: ReachDeps,
  talk: (over: ProbeTalk) => void,
): Probe {
  const { setTimer } = deps;
  return (target, done) =>
    startAttempt<ProbeResult>({ timeoutMs, setTimer, done }, settle => {
      let late = noAnswer(timeoutMs);
      const atDeadline = (result: ProbeResult): void => {
        late = result;
      };
      const abandon = reach(target, { timeoutMs, ...deps }, reached => {
        if (reached.ok) talk({ target, socket: reached.socket, kind: reached.kind, settle, atDeadline });
        else settle(reached.result);
      });
      return { abandon, late: () => late };
    });
}
