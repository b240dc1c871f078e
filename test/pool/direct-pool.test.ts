/** The direct pool: the contract, and what it promises beyond it. */
import t from 'tap';
import type { Acquired } from '../../pool/connection-pool.ts';
import { createDirectPool } from '../../pool/index.ts';
import { connectionPoolSuite } from '../contracts/connection-pool.ts';
import { FakeBackend, type FakeConnection } from './fake-backend.ts';

await t.test('contract', t => connectionPoolSuite(t, connect => createDirectPool({ connect })));

await t.test('passes a result on in the same turn', t => {
  const backend = new FakeBackend();
  const pool = createDirectPool({ connect: backend.connect });
  const results: Acquired<FakeConnection, string>[] = [];
  pool.acquire(result => results.push(result));
  backend.only().succeed();
  t.equal(results.length, 1);
  t.end();
});

await t.test('cancelling an acquire cancels its connect', t => {
  const backend = new FakeBackend();
  const pool = createDirectPool({ connect: backend.connect });
  pool.acquire(() => t.fail('done after its cancel'))();
  t.strictSame(
    backend.connects.map(connect => connect.isCancelled),
    [true],
  );
  t.end();
});
