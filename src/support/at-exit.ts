/**
 * What is to be done when the process ends, whatever ends it: synchronous, and last in, first out.
 *
 * Place: for those who must not leave without it; one listener for all of them, because Node warns of more than ten.
 * Signals that nobody handles, and aborts, end a process without it.
 */
const callbacks: (() => void)[] = [];

/** Returns the way to take it back. */
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
      // It ends because of a defect, and that may be just here; the others have their turn all the same.
    }
  }
}
