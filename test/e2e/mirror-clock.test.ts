/**
 * The clock of Redis's machine jumps by an hour, forward and back: leases go by it, and sharing goes on. A real Redis
 * under libfaketime; the monotonic clock goes on as it does when somebody sets a machine's clock.
 */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { TcpAddress } from '../../src/support/address.ts';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startPair, survive, untilShared } from '../harness/mirror-fault.ts';
import {
  startInstance,
  totals,
  unbalance,
  untilTotalsAreTrue,
  PERIOD_MS,
} from '../harness/mirrored-instances.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';
import { now } from '../harness/traffic.ts';
import { pause } from '../harness/until.ts';

const timeout = 120_000;
t.setTimeout(timeout);

const library = ['x86_64', 'aarch64']
  .map(machine => `/usr/lib/${machine}-linux-gnu/faketime/libfaketimeMT.so.1`)
  .find(path => existsSync(path));

function skipWithoutFaketime(): string | false {
  if (library !== undefined) return false;
  if (process.env['CI'] === 'true') throw new Error('no libfaketime; .ci/run should have installed it');
  return 'this machine has no libfaketime';
}

const skip = skipUnlessFull() || skipWithoutRedis() || skipWithoutFaketime();

void t.test("jumps of Redis's clock", { skip, timeout }, async t => {
  const file = join(t.testdir({}), 'offset');
  const setClock = async (offset: string): Promise<void> => {
    writeFileSync(`${file}.new`, offset);
    renameSync(`${file}.new`, file);
  };
  await setClock('+0s');
  const redis = await startRedisServer(t, {
    env: {
      // libc again, before jemalloc: that one asks for the time while libfaketime is still looking for the real clock.
      LD_PRELOAD: `${library} libc.so.6`,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
  });
  const url = `redis://127.0.0.1:${redis.port}`;
  const start = (name: string, backends: readonly TcpAddress[]) =>
    startInstance(t, { name, redis: { url }, backends });
  const around = await startPair(t, redis.admin, start);
  const { traffic } = around;
  const c = await start('c', traffic.backends);
  await untilShared([c]);
  /** Of Redis's clock before ours. */
  const aheadS = async (): Promise<number> => Number((await redis.admin.time())[0]) - Date.now() / 1000;

  await t.test('an hour forward: nothing is said, and the totals stay true', async t => {
    await survive(t, around, {
      reason: undefined,
      begin: () => setClock('+3600s'),
      end: async () => undefined,
      healsWithinMs: 0,
    });
    t.ok(Math.abs((await aheadS()) - 3600) < 10, 'the clock did jump');
  });

  await t.test('an hour back: the same, and who is killed then is gone within three periods', async t => {
    await survive(t, around, {
      reason: undefined,
      begin: () => setClock('+0s'),
      end: async () => undefined,
      healsWithinMs: 0,
    });
    t.ok(Math.abs(await aheadS()) < 10, 'the clock did jump');
    await unbalance(traffic, c);
    await untilTotalsAreTrue(redis.admin, traffic);
    // Killed while its lease is one of before: nothing but what its sisters do ends that.
    await setClock('-3600s');
    c.child.kill('SIGKILL');
    const killedAt = now();
    while ((await totals(redis.admin, traffic.backends)).some(count => count > 0)) await pause(5);
    const tookMs = now() - killedAt;
    // One of them renews the lease when she finds it in the future, at her next exchange.
    t.ok(tookMs <= 4 * PERIOD_MS + 100, `gone after ${tookMs.toFixed(0)} ms`);
  });
});
