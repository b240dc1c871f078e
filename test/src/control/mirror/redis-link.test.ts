/** A connection to Redis that comes back, over timers that run when the test says so. */
import { EventEmitter } from 'node:events';
import type { Redis } from 'ioredis';
import t from 'tap';
import { RedisLink } from '../../../../src/control/mirror/redis-link.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

class FakeClient extends EventEmitter {
  isConnected = true;
  connect(): Promise<void> {
    return Promise.resolve();
  }
  disconnect(): void {
    this.isConnected = false;
  }
}

function setUp() {
  const timers = new FakeTimers();
  const clients: FakeClient[] = [];
  const link = new RedisLink<Redis>(
    {
      create: () => {
        clients.push(new FakeClient());
        return clients.at(-1) as unknown as Redis;
      },
      readyWithinMs: 10_000,
      onReady: () => undefined,
      onError: () => undefined,
    },
    { random: () => 1, setTimer: timers.setTimer },
  );
  return { link, timers, clients, last: () => clients.at(-1)! };
}

void t.test('a client that is not ready in time is dropped, and another one follows', async t => {
  const { link, timers, clients } = setUp();
  t.same(timers.delays, [10_000]);
  timers.fireNext();
  t.notOk(clients[0]?.isConnected);
  t.equal(link.ready, undefined);
  timers.fireNext();
  t.equal(clients.length, 2);
  clients[0]?.emit('ready');
  t.equal(link.ready, undefined, 'one of before is not heard');
  clients[1]?.emit('ready');
  t.equal(link.ready, clients[1]);
  t.equal(timers.pending, 0);
});

void t.test('the next client comes later each time, up to 2 s, until one has worked', async t => {
  const { link, timers, last } = setUp();
  for (let i = 0; i < 7; i++) {
    last().emit('end');
    timers.fireNext();
  }
  last().emit('ready');
  link.worked();
  last().emit('end');
  t.same(
    timers.delays.filter(delay => delay !== 10_000),
    [100, 200, 400, 800, 1_600, 2_000, 2_000, 100],
  );
});

void t.test('nothing follows once it is closed, and no timer is left', async t => {
  const { link, timers, clients } = setUp();
  link.close();
  t.equal(timers.pending, 0);
  t.notOk(clients[0]?.isConnected);
  clients[0]?.emit('end');
  t.equal(timers.pending, 0);
});
