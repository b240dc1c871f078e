/** What createWarmPool refuses. */
import t from 'tap';
import { createWarmPool, type WarmPoolOptions } from '../../pool/index.ts';
import { FakeBackend } from './fake-backend.ts';

const valid: WarmPoolOptions = { warm: 1, maxIdleMs: 5_000, maxWaiting: 0, acquireTimeoutMs: 1_000 };

function create(options: Partial<WarmPoolOptions>): FakeBackend {
  const backend = new FakeBackend();
  createWarmPool(
    { ...valid, ...options },
    { connect: backend.connect, now: () => 1, random: () => 0, failures: { timeout: '', full: '' } },
  ).close();
  return backend;
}

await t.test('takes valid options, with or without the optional ones', t => {
  t.equal(create({}).connects.length, 1);
  t.equal(create({ limit: undefined }).connects.length, 1);
  t.equal(create({ limit: 1, backoff: { firstMs: 5, maxMs: 5 } }).connects.length, 1);
  t.equal(create({ warm: 0, reuse: true }).connects.length, 0);
  t.end();
});

await t.test('an option out of range is named, with the range and the value', t => {
  const cases: [Partial<WarmPoolOptions>, RegExp][] = [
    [{ warm: 0 }, /warm must be an integer from 1 on, got 0/],
    [{ warm: 0, reuse: false }, /warm must be an integer from 1 on, got 0/],
    [{ warm: -1, reuse: true }, /warm must be an integer from 0 on, got -1/],
    [{ reuse: true, maxReused: 0 }, /maxReused must be an integer from 1 on, got 0/],
    [{ warm: 1.5 }, /warm must be an integer from 1 on, got 1\.5/],
    [{ limit: 0 }, /limit must be an integer from 1 on, got 0/],
    [{ limit: Infinity }, /limit must be an integer from 1 on, got Infinity/],
    [{ maxWaiting: -1 }, /maxWaiting must be an integer from 0 on, got -1/],
    [{ maxIdleMs: 0 }, /maxIdleMs must be from 1 to 2147483647 ms, got 0/],
    [{ maxIdleMs: 2 ** 31 }, /maxIdleMs must be from 1 to 2147483647 ms, got 2147483648/],
    [{ acquireTimeoutMs: NaN }, /acquireTimeoutMs must be from 1 to 2147483647 ms, got NaN/],
    [{ backoff: { firstMs: 0, maxMs: 10 } }, /backoff\.firstMs must be from 1 to 2147483647 ms, got 0/],
    [{ backoff: { firstMs: 20, maxMs: 10 } }, /backoff\.maxMs must be from 20 to 2147483647 ms, got 10/],
  ];
  for (const [options, message] of cases) t.throws(() => create(options), { name: 'RangeError', message });
  t.end();
});
