/**
 * A process of its own for test/pool/process.test.ts: a `connect` and a `done` that throw, real timers, an
 * acquire that waits for ever. Prints what became of it; must end by itself.
 */
import { createWarmPool } from '../../pool/index.ts';
import { FakeBackend } from './fake-backend.ts';

const lines: string[] = [];
process.on('uncaughtException', error => lines.push(`uncaught: ${error.message}`));
process.on('unhandledRejection', () => lines.push('unhandled rejection'));
process.on('exit', () => process.stdout.write(`${lines.join('\n')}\n`));

const options = { warm: 1, maxIdleMs: 60_000, maxWaiting: 10, acquireTimeoutMs: 60_000 };
const deps = { now: () => 1, random: () => 0, failures: { timeout: 'timeout', full: 'full' } };

const throwing = createWarmPool(options, {
  ...deps,
  connect: () => {
    throw new Error('connect is broken');
  },
});
throwing.acquire(result => lines.push(`acquire: ${result.ok ? 'connected' : result.failure}`));

const backend = new FakeBackend();
const pool = createWarmPool(options, { ...deps, connect: backend.connect });
backend.only().succeed();
setImmediate(() => {
  try {
    pool.acquire(() => {
      throw new Error('done is broken, within acquire');
    });
  } catch (error) {
    lines.push(`thrown: ${String(error)}`);
  }
  backend.only().succeed();
  setImmediate(() => {
    pool.acquire(() => undefined);
    pool.acquire(() => {
      throw new Error('done is broken, later');
    });
    const [refill, own] = backend.opening;
    own!.succeed();
    setImmediate(() => {
      lines.push(`opening: ${backend.opening.length}, refill: ${refill!.isOpening ? 'under way' : 'over'}`);
      lines.push(`lent: ${pool.stats().lent}`);
      pool.acquire(() => lines.push('done without a connection'));
    });
  });
});
