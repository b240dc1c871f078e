/**
 * Threads without threads: something happens before any step on shared memory that the code under test takes.
 */
const STEPS = ['load', 'store', 'add', 'sub', 'exchange', 'compareExchange'] as const;

/** Runs `run`; `before` is called ahead of each atomic step. What it does itself is not interrupted again by this. */
export function withPreemption(before: (memory: ArrayBufferLike) => void, run: () => void): void {
  const originals = STEPS.map(name => {
    const original: unknown = Reflect.get(Atomics, name);
    if (typeof original !== 'function') throw new TypeError(`Atomics.${name} is no function`);
    return [name, original] as const;
  });
  for (const [name, original] of originals) {
    Reflect.set(Atomics, name, (words: Int32Array, ...rest: unknown[]) => {
      before(words.buffer);
      return Reflect.apply(original, Atomics, [words, ...rest]) as unknown;
    });
  }
  try {
    run();
  } finally {
    for (const [name, original] of originals) Reflect.set(Atomics, name, original);
  }
}
