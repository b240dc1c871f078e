/**
 * Several checks of one backend that confirm or refute what a first one has found.
 *
 * Place: begun by the health checker while results contradict its verdict; with a count of 1 it is an ordinary check.
 * They begin a gap apart, whether or not those before have an answer: a backend that has stopped answering is found
 * out in little more than the time that one check may take, and each check still has all of that time.
 * Invariants: no more than `count` checks are made; once the question is settled, those under way are cancelled;
 * `onOver` is called once, unless cancelled.
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
    // It may have its result within the call, and then there is nothing to cancel.
    const cancel = deps.probe(result => {
      underWay.delete(check);
      const isSettled = deps.onResult(result);
      // A report of the result may have cancelled everything.
      if (isOver || (!isSettled && (begun < count || underWay.size > 0))) return;
      end();
      deps.onOver();
    });
    check.cancel = cancel;
  };
  begin();
  return end;
}
