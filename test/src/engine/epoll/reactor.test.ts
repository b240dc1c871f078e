/** The readiness loop: with a made-up kernel for what it is told and when, and with the real one for time. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';

import * as abi from '../../../../src/linux/abi.ts';
import { loadLibc } from '../../../../src/linux/libc.ts';
import { Reactor } from '../../../../src/engine/epoll/reactor.ts';
import { createWakeup } from '../../../../src/linux/wakeup.ts';
import { FakeKernel, watched } from '../../../harness/fake-kernel.ts';
import { pause, until } from '../../../harness/until.ts';

/** Real time, and no waiting for more events once there were some. */
const PROMPT = { now: () => performance.now(), lingerMs: () => 0 };
const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

async function turn(): Promise<void> {
  await new Promise(resolve => setImmediate(() => setImmediate(resolve)));
}

for (const arch of ['x64', 'arm64'] as const) {
  const layout = abi.epollLayout(arch)!;

  void t.test(`events reach whoever registered the descriptor (${arch})`, async t => {
    const kernel = new FakeKernel(layout);
    const reactor = new Reactor(kernel.libc(), { ...PROMPT, ceilingMs: 50 });
    t.teardown(() => reactor.close());
    const seen: string[] = [];
    for (const fd of [3, 4, 70_000]) {
      reactor.add(
        fd,
        watched(events => seen.push(`${fd}:${events}`)),
        abi.EPOLLIN,
      );
    }
    kernel.batches.push([
      [70_000, abi.EPOLLIN],
      [3, abi.EPOLLOUT | abi.EPOLLRDHUP],
      [4, abi.EPOLLERR],
    ]);
    t.strictSame(seen, [], 'not before the next turn');
    await turn();
    t.strictSame(seen, ['70000:1', '3:8196', '4:8']);
  });

  void t.test(`a stale event never reaches the new owner of a descriptor number (${arch})`, async t => {
    const kernel = new FakeKernel(layout);
    // The batch is filled before the handlers run: events of the old registration stay in it.
    const reactor = new Reactor(kernel.libc(), { ...PROMPT, ceilingMs: 50 });
    t.teardown(() => reactor.close());
    const seen: string[] = [];
    reactor.add(
      5,
      watched(() => {
        seen.push('five closes six');
        reactor.forget(6);
        reactor.add(
          6,
          watched(events => seen.push(`the new six: ${events}`)),
          abi.EPOLLIN,
        );
      }),
      abi.EPOLLIN,
    );
    reactor.add(
      6,
      watched(() => seen.push('the old six')),
      abi.EPOLLIN,
    );
    reactor.add(
      7,
      watched(() => {
        seen.push('seven');
        reactor.remove(8);
      }),
      abi.EPOLLIN,
    );
    reactor.add(
      8,
      watched(() => seen.push('eight, which is not watched any more')),
      abi.EPOLLIN,
    );
    kernel.batches.push(
      [5, 6, 7, 8].map(fd => [fd, abi.EPOLLIN]),
      [[6, abi.EPOLLOUT]],
    );
    await turn();
    t.strictSame(seen, ['five closes six', 'seven', 'the new six: 4']);
  });
}

const layout = abi.epollLayout('x64')!;

void t.test('deferred work runs at the end of the round, never inside the call', async t => {
  const kernel = new FakeKernel(layout);
  const reactor = new Reactor(kernel.libc(), { ...PROMPT, ceilingMs: 50 });
  t.teardown(() => reactor.close());
  const seen: string[] = [];
  const later = (name: string) => (): void => {
    seen.push(name);
    if (name === 'first') reactor.defer(later('from first'));
    seen.push(`${name} returns`);
  };
  reactor.defer(later('first'));
  reactor.defer(later('second'));
  reactor.again({ runAgain: () => seen.push('unfinished') });
  t.strictSame(seen, []);
  await turn();
  t.strictSame(seen, [
    'unfinished',
    'first',
    'first returns',
    'second',
    'second returns',
    'from first',
    'from first returns',
  ]);
  reactor.add(
    3,
    watched(() => {
      reactor.defer(() => seen.push('deferred'));
      seen.push('handler returns');
    }),
    abi.EPOLLIN,
  );
  kernel.batches.push([[3, abi.EPOLLIN]]);
  await turn();
  t.strictSame(seen.slice(-2), ['handler returns', 'deferred']);
});

void t.test('unfinished work and events take turns, and Node has its own', async t => {
  const kernel = new FakeKernel(layout);
  // Each round takes a millisecond.
  let nowMs = 0;
  const reactor = new Reactor(kernel.libc(), { ...PROMPT, now: () => nowMs++, ceilingMs: 50 });
  t.teardown(() => reactor.close());
  let events = 0;
  let rounds = 0;
  let between = 0;
  reactor.add(
    3,
    watched(() => events++),
    abi.EPOLLIN,
  );
  const unfinished = {
    runAgain: (): void => {
      rounds++;
      if (Math.abs(events - rounds) > 1) t.fail(`${events} events, but ${rounds} rounds of work`);
      if (rounds < 200) reactor.again(unfinished);
    },
  };
  for (let i = 0; i < 200; i++) kernel.batches.push([[3, abi.EPOLLIN]]);
  reactor.again(unfinished);
  const timer = setInterval(() => between++, 0);
  const immediate = (): void => {
    between++;
    if (rounds < 200) setImmediate(immediate);
  };
  setImmediate(immediate);
  await until('all is done', () => rounds === 200);
  clearInterval(timer);
  t.ok(between >= 10, `Node had its turn ${between} times`);
});

void t.test('a wait blocks only when nothing is left to do', async t => {
  const kernel = new FakeKernel(layout);
  const reactor = new Reactor(kernel.libc(), { ...PROMPT, ceilingMs: 50 });
  t.teardown(() => reactor.close());
  reactor.defer(() => undefined);
  await turn();
  t.ok(
    kernel.timeouts.every(each => each === 0),
    'nothing is registered: not at all',
  );
  reactor.add(
    3,
    watched(() => undefined),
    abi.EPOLLIN,
  );
  kernel.timeouts.length = 0;
  reactor.again({ runAgain: () => undefined });
  await turn();
  t.equal(kernel.timeouts[0], 0, 'not while work is waiting');
  await turn();
  t.equal(kernel.timeouts.at(-1), 50);
});

/** A reactor that knows of a timer. */
function withTimer(t: Test, dueMs: number) {
  const kernel = new FakeKernel(layout);
  const world = { nowMs: 0, dueMs };
  const reactor = new Reactor(kernel.libc(), {
    now: () => world.nowMs,
    nextTimerMs: () => world.dueMs,
    lingerMs: () => 1,
    ceilingMs: 50,
  });
  t.teardown(() => reactor.close());
  return { kernel, world, reactor };
}

void t.test('a wait ends when the next timer is due', async t => {
  const { kernel, world, reactor } = withTimer(t, 10.2);
  reactor.add(
    3,
    watched(() => undefined),
    abi.EPOLLIN,
  );
  const waits = async (): Promise<number | undefined> => {
    kernel.timeouts.length = 0;
    await turn();
    return kernel.timeouts[0];
  };
  t.equal(await waits(), 11, 'not before');
  world.nowMs = 10.3;
  t.equal(await waits(), 0, 'one that is late is not kept waiting');
  world.dueMs = 1_000;
  t.equal(await waits(), 50, 'no longer than the ceiling');
  world.dueMs = Infinity;
  t.equal(await waits(), 50);
});

void t.test('events without a pause do not hold up a timer that is due', async t => {
  const { kernel, world, reactor } = withTimer(t, 2);
  reactor.add(
    3,
    watched(() => (world.nowMs += 1)),
    abi.EPOLLIN,
  );
  for (let i = 0; i < 10; i++) kernel.batches.push([[3, abi.EPOLLIN]]);
  await new Promise(resolve => setImmediate(resolve));
  t.equal(world.nowMs, 2, 'Node has its turn then');
});

void t.test('after events it waits for a moment for more, then Node has its turn', async t => {
  const kernel = new FakeKernel(layout);
  const reactor = new Reactor(kernel.libc(), { now: () => 0, lingerMs: () => 1, ceilingMs: 50 });
  t.teardown(() => reactor.close());
  reactor.add(
    3,
    watched(() => undefined),
    abi.EPOLLIN,
  );
  kernel.batches.push([[3, abi.EPOLLIN]], [[3, abi.EPOLLIN]]);
  await turn();
  t.strictSame(kernel.timeouts.slice(0, 3), [50, 1, 1]);
  await turn();
  t.equal(kernel.timeouts[3], 50);
});

void t.test('a signal ends a wait without harm, any other failure is told', t => {
  const kernel = new FakeKernel(layout);
  const libc = kernel.libc();
  const reactor = new Reactor({ ...libc, epoll_wait: () => -1 }, { ...PROMPT, ceilingMs: 50 });
  t.teardown(() => reactor.close());
  kernel.errnoNow = 4;
  reactor.defer(() => undefined);
  process.once('uncaughtException', error => {
    t.match(error, { code: 'EBADF', syscall: 'epoll_wait' });
    t.end();
  });
  setImmediate(() => {
    kernel.errnoNow = 9;
    reactor.defer(() => undefined);
  });
});

void t.test('no descriptor for the loop is an error at the start', t => {
  const kernel = new FakeKernel(layout);
  kernel.errnoNow = 24;
  const libc = { ...kernel.libc(), epoll_create1: () => -1 };
  t.throws(() => new Reactor(libc, { ...PROMPT, ceilingMs: 50 }), { code: 'EMFILE' });
  t.end();
});

void t.test('timers fire in time while the engine idles', { skip }, async t => {
  if (!loaded.ok) return;
  const wakeup = createWakeup(loaded.libc);
  const reactor = new Reactor(loaded.libc, { ...PROMPT, ceilingMs: 50, wakeFd: wakeup.fd });
  t.teardown(() => {
    reactor.close();
    wakeup.close();
  });
  const late: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await pause(10);
    late.push(performance.now() - start);
  }
  t.ok(Math.min(...late) < 50 + 20, `a timer of 10 ms fired after ${late.map(Math.round).join(', ')} ms`);
});

void t.test('a wake-up from another thread ends the wait', { skip }, async t => {
  if (!loaded.ok) return;
  const wakeup = createWakeup(loaded.libc);
  const other = new Worker(
    `const { parentPort, workerData: fd } = require('node:worker_threads');
     const koffi = require(${JSON.stringify(fileURLToPath(import.meta.resolve('koffi')))});
     const write = koffi.load(null).func('int64_t write(int, void *, size_t)');
     setInterval(() => write(fd, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]), 8), 30);
     parentPort.postMessage('ready');`,
    { eval: true, workerData: wakeup.fd },
  );
  await once(other, 'message');
  const reactor = new Reactor(loaded.libc, { ...PROMPT, ceilingMs: 10_000, wakeFd: wakeup.fd });
  t.teardown(async () => {
    reactor.close();
    await other.terminate();
    wakeup.close();
  });
  const start = performance.now();
  for (let i = 0; i < 5; i++) await pause(1);
  t.ok(performance.now() - start < 5000, 'waits of ten seconds each were cut short');
});

void t.test('an engine with nothing to do lets its process end', { skip }, t => {
  const path = (name: string): string =>
    JSON.stringify(new URL(`../../../../src/${name}.js`, import.meta.url).href);
  const program = `
    import { createEpollEngine } from ${path('engine/epoll/epoll-engine')};
    import { loadLibc } from ${path('linux/libc')};
    const engine = createEpollEngine({ libc: loadLibc().libc, now: () => performance.now(), clock: { nowMs: 0 } });
    const listener = await engine.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }, {
      onClient: accepted => accepted.reset(),
    });
    const client = await new Promise(done => engine.connect(listener.address, { timeoutMs: 1000 }, done));
    client.connection.reset();
    await listener.close();
    process.stdout.write('closed');`;
  const ran = spawnSync(process.execPath, ['--input-type=module', '-e', program], { timeout: 10_000 });
  t.equal(ran.stdout.toString(), 'closed', ran.stderr.toString());
  t.equal(ran.status, 0);
  t.end();
});
