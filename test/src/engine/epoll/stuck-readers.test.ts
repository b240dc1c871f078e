/** Readers that have stopped do not keep their pipes from flows that move, and lose no byte over it. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';

import { loadLibc } from '../../../../src/linux/libc.ts';
import { join, type Joined } from '../../../contracts/engine/fixture.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';
import { pause, until } from '../../../harness/until.ts';

const MIB = 1024 * 1024;
const BULK = 16 * MIB;
/** As many pipes as this machine gives in these tests. */
const PIPES = 3;

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

/** No two parts of it are alike. */
const text = Buffer.alloc(BULK);
for (let at = 0; at < BULK; at += 4) text.writeUInt32LE(at, at);
const checksum = createHash('sha256').update(text).digest('hex');

function setUp() {
  if (!loaded.ok) throw new Error(loaded.reason);
  const { libc } = loaded;
  const calls = { splices: 0 };
  /** Write ends that are open. */
  const pipes = new Set<number>();
  const clock = { nowMs: 0 };
  const engine = newEpollEngine({
    clock,
    libc: {
      ...libc,
      pipe2: (fds, flags) => {
        if (pipes.size === PIPES || libc.pipe2(fds, flags) < 0) return -1;
        pipes.add(Buffer.from(fds).readInt32LE(4));
        return 0;
      },
      close: fd => {
        pipes.delete(fd);
        return libc.close(fd);
      },
      splice: (...args) => {
        calls.splices += 1;
        return libc.splice(...args);
      },
    },
  });
  return { engine, calls, clock, pipes };
}

/** A bulk flow to a reader that takes nothing, at rest: whatever can be moved is moved. */
async function stuckFlow(t: Test, engine: ReturnType<typeof setUp>['engine']): Promise<Joined> {
  const joined = await join(t, engine);
  joined.backend.stall();
  void joined.client.send(text);
  // On a busy machine its client, or the kernel's receive buffer that grows, takes a while between two steps.
  let before = 0;
  for (let quietMs = 0; quietMs < 200 || before === 0; quietMs += 20) {
    await pause(20);
    if (joined.relay.bytesFromClient !== before) quietMs = 0;
    before = joined.relay.bytesFromClient;
  }
  t.ok(joined.relay.bytesFromClient < BULK, 'its reader holds it up');
  return joined;
}

async function bulkFlow(t: Test, engine: ReturnType<typeof setUp>['engine']): Promise<void> {
  const { client, backend } = await join(t, engine);
  void client.send(text);
  await backend.untilBytes(BULK);
  t.equal(backend.checksum(), checksum);
  client.reset();
}

void t.test('a flow that moves gets the pipe of a reader that has stopped', { skip }, async t => {
  const { engine, calls, clock, pipes } = setUp();
  const stuck = [];
  for (let i = 0; i < PIPES; i++) stuck.push(await stuckFlow(t, engine));
  t.equal(pipes.size, PIPES, 'they hold all pipes there are');
  const before = calls.splices;
  await bulkFlow(t, engine);
  // Those that have stopped try again now and then.
  t.ok(calls.splices < before + 20, 'a reader that has only just stopped keeps its pipe');
  clock.nowMs += 1_000;
  await bulkFlow(t, engine);
  t.ok(calls.splices > before + 60, `${calls.splices - before} splices`);
  t.equal(pipes.size, PIPES);
  for (const { backend } of stuck) backend.read();
  for (const { backend } of stuck) await backend.untilBytes(BULK);
  for (const { backend } of stuck) t.equal(backend.checksum(), checksum, 'every byte in its place');
});

void t.test('one that ends while its bytes are out of the pipe leaves room for others', { skip }, async t => {
  const { engine, calls, clock } = setUp();
  for (let round = 0; round < 3; round++) {
    const stuck = [];
    for (let i = 0; i < PIPES; i++) stuck.push(await stuckFlow(t, engine));
    clock.nowMs += 1_000;
    const before = calls.splices;
    await bulkFlow(t, engine);
    t.ok(calls.splices > before + 20, `round ${round}: ${calls.splices - before} splices`);
    for (const { relay, outcome } of stuck) {
      relay.abort();
      await until('it has ended', () => outcome() !== undefined);
    }
  }
});
