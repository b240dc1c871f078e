/**
 * Work to be done when the process ends, whatever ends it: synchronous, and last in, first out.
 *
 * Place: for code that must not end without cleaning up; one listener for all of it, because Node warns of more than
 * ten. Signals without a handler, and aborts, end a process without it.
 */
const callbacks: (() => void)[] = [];

/** Returns a function that cancels it. */
export function atExit(callback: () => void): () => void {
  if (callbacks.length === 0) process.on('exit', runAll);
  callbacks.push(callback);
  return () => {
    const index = callbacks.indexOf(callback);
    if (index === -1) return;
    callbacks.splice(index, 1);
    if (callbacks.length === 0) process.off('exit', runAll);
  };
}

function runAll(): void {
  for (const callback of callbacks.toReversed()) {
    try {
      callback();
    } catch {
      // The process ends because of a defect, which may be in this very call; the other calls are made all the same.
    }
  }
}
