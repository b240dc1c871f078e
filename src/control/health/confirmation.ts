/**
 * Several checks of one backend that confirm or refute the result of a first one.
 *
 * Place: begun by the health checker while results contradict its verdict; with a count of 1 it is an ordinary check.
 * How: the checks begin a gap apart, whether or not those before have an answer. So a backend that has stopped
 * answering is noticed in little more than the timeout of one check, and each check still has its whole timeout.
 * Invariants:
 * - No more than `count` checks are made.
 * - Once the question is settled, checks under way are cancelled.
 * - `onOver` is called once, unless cancelled.
 */
import type { Cancel } from '../../engine/engine.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { ProbeResult } from './probe.ts';

export interface ConfirmationDeps {
  readonly setTimer: SetTimer;
  probe(done: (result: ProbeResult) => void): Cancel;
  /** Takes a result. True: no further one is needed. */
  onResult(result: ProbeResult): boolean;
  /** No check is under way any more. */
  onOver(): void;
}

export function confirm(count: number, gapMs: number, deps: ConfirmationDeps): Cancel {
  const underWay = new Set<{ cancel: Cancel }>();
  let begun = 0;
  let isOver = false;
  let cancelGap: Cancel | undefined;

  const end = (): void => {
    isOver = true;
    cancelGap?.();
    for (const { cancel } of underWay) cancel();
    underWay.clear();
  };
  const begin = (): void => {
    begun += 1;
    if (begun < count) cancelGap = deps.setTimer(begin, gapMs);
    const check = { cancel: (): void => undefined };
    underWay.add(check);
    // The probe may report its result within the call; then there is nothing to cancel.
    const cancel = deps.probe(result => {
      underWay.delete(check);
      const isSettled = deps.onResult(result);
      // `onResult` may have cancelled everything.
      if (isOver || (!isSettled && (begun < count || underWay.size > 0))) return;
      end();
      deps.onOver();
    });
    check.cancel = cancel;
  };
  begin();
  return end;
}
