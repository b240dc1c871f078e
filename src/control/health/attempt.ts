/**
 * One attempt with one deadline for all of it (connecting, handshake, answer), settled once: by what it finds,
 * by its deadline or by its cancel, whichever is first.
 *
 * Place: the frame of the probes that own a socket, and of the question to an agent. Invariant: after the
 * settlement nothing reaches `done` any more, however many events the socket still has.
 */
import type { Cancel } from '../../engine/engine.ts';
import type { SetTimer } from '../../support/timer.ts';

export interface AttemptOptions<Result> {
  readonly timeoutMs: number;
  readonly setTimer: SetTimer;
  readonly done: (result: Result) => void;
}

/** What an attempt has open. */
export interface Opened<Result> {
  /** Drops everything at once: the deadline has passed or nobody wants to know any more. */
  abandon(): void;
  /** What the deadline makes of the attempt. */
  late(): Result;
}

/** Opens the attempt; `settle` ends it with a result, and what is open is then the opener's to end. */
export function startAttempt<Result>(
  { timeoutMs, setTimer, done }: AttemptOptions<Result>,
  open: (settle: (result: Result) => void) => Opened<Result>,
): Cancel {
  let isOver = false;
  const settle = (result: Result): void => {
    if (isOver) return;
    isOver = true;
    cancelTimer();
    done(result);
  };
  const cancelTimer = setTimer(() => {
    opened.abandon();
    settle(opened.late());
  }, timeoutMs);
  const opened = open(settle);
  return () => {
    if (isOver) return;
    isOver = true;
    cancelTimer();
    opened.abandon();
  };
}
