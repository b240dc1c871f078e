/**
 * Signals → what lb4 does: SIGTERM and SIGINT drain, the second one ends at once, SIGQUIT ends at once.
 *
 * Place: used by `run` and `demo`. SIGUSR1 belongs to Node's inspector and is left alone.
 */

export interface SignalHandlers {
  drain(): void;
  stop(): void;
  hangUp(): void;
}

/** Subscribes to the process's signals; returns the unsubscriber. */
export function onSignals(handlers: SignalHandlers): () => void {
  let asked = false;
  const end = (): void => {
    if (asked) handlers.stop();
    else handlers.drain();
    asked = true;
  };
  const listeners: readonly (readonly [NodeJS.Signals, () => void])[] = [
    ['SIGTERM', end],
    ['SIGINT', end],
    [
      'SIGQUIT',
      () => {
        asked = true;
        handlers.stop();
      },
    ],
    ['SIGHUP', () => handlers.hangUp()],
  ];
  for (const [signal, listener] of listeners) process.on(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}
