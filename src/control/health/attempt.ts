/**
 * One attempt with one deadline for all of it (connecting, handshake, answer). Its result, its deadline or its cancel
 * settles it, whichever is first.
 *
 * Place: the frame of the probes that own a socket, and of the question to an agent.
 * Invariant: an attempt is settled once. After that `done` is not called, whatever events the socket still emits.
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
  /** Drops everything at once: the deadline has passed, or the attempt was cancelled. */
  abandon(): void;
  /** The result of an attempt that its deadline ends. */
  late(): Result;
}

/** Opens the attempt. `settle` ends it with a result; `open` must then close what it has opened. */
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
