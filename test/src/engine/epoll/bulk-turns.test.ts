/** What a small request waits for beside bulk flows: bytes are counted here, not milliseconds. */
import t, { type Test } from 'tap';

import { EPOLLIN, epollLayout } from '../../../../src/linux/abi.ts';
import { EpollConnection } from '../../../../src/engine/epoll/epoll-connection.ts';
import { Reactor } from '../../../../src/engine/epoll/reactor.ts';
import type { Connection, Relay } from '../../../../src/engine/engine.ts';
import { loadLibc, type Libc } from '../../../../src/linux/libc.ts';
import { connected, listen, startRelay } from '../../../contracts/engine/fixture.ts';
import { scripts, startBackend } from '../../../harness/backend.ts';
import { connectClient } from '../../../harness/client.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';
import { FakeKernel, watched } from '../../../harness/fake-kernel.ts';
import type { Peer } from '../../../harness/peer.ts';
import { until } from '../../../harness/until.ts';

const KIB = 1024;
/** What bulk flows may move between two looks at who is ready. */
const BOUND_BYTES = 512 * KIB;
/** What one splice brings: full pipes, and pieces of which several fit into a turn. */
const PIECES = [256 * KIB, 63 * KIB, 256 * KIB, 100 * KIB, 17 * KIB, 63 * KIB, 256 * KIB];

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

/** A kernel with sockets that always have bytes, and others that take them all; it counts per look what has moved. */
class EndlessBulk {
  readonly sources = new Set<number>();
  readonly sinks = new Set<number>();
  readonly libc: Libc;
  /** Bulk bytes since the last look. */
  movedBytes = 0;
  mostBytes = 0;
  onRead: (fd: number) => void = () => undefined;
  #pieces = 0;

  constructor(libc: Libc) {
    this.libc = {
      ...libc,
      epoll_wait: (...args) => {
        this.mostBytes = Math.max(this.mostBytes, this.movedBytes);
        this.movedBytes = 0;
        return libc.epoll_wait(...args);
      },
      recv: (fd, buffer, size, flags) => {
        this.onRead(fd);
        return this.sources.has(fd) ? this.#moved(size) : libc.recv(fd, buffer, size, flags);
      },
      send: (fd, buffer, bytes, flags) => (this.sinks.has(fd) ? bytes : libc.send(fd, buffer, bytes, flags)),
      splice: (from, a, to, b, bytes, flags) => {
        if (this.sources.has(from)) return this.#moved(this.#piece(bytes));
        return this.sinks.has(to) ? bytes : libc.splice(from, a, to, b, bytes, flags);
      },
    };
  }

  #moved(bytes: number): number {
    this.movedBytes += bytes;
    return bytes;
  }

  #piece(most: number): number {
    this.#pieces += 1;
    return Math.min(PIECES[this.#pieces % PIECES.length] ?? most, most);
  }
}

const descriptor = (connection: Connection): number => {
  if (!(connection instanceof EpollConnection)) throw new Error('not of this engine');
  return connection.fd;
};

interface Sessions {
  readonly kernel: EndlessBulk;
  readonly flows: readonly Relay[];
  /** A session that echoes, its client, and the descriptor of its client at the engine. */
  readonly small: { readonly peer: Peer; readonly fd: number };
  /** Wakes all flows: from now on their clients have bytes without an end. */
  readonly begin: () => Promise<void>;
}

async function sessions(t: Test, libc: Libc, flowCount: number): Promise<Sessions> {
  const kernel = new EndlessBulk(libc);
  const engine = newEpollEngine({ libc: kernel.libc });
  const { listener, clients } = await listen(t, engine);
  const backend = await startBackend(t, scripts.echo);
  const peers: Peer[] = [];
  const relays: Relay[] = [];
  for (let i = 0; i <= flowCount; i++) {
    peers.push(await connectClient(t, listener.address));
    await until('the client is accepted', () => clients.length === i + 1);
    const upstream = await connected(t, engine, backend.address);
    relays.push(startRelay(t, engine, clients[i]!, upstream).relay);
    if (i === flowCount) break;
    kernel.sinks.add(descriptor(upstream));
  }
  const flows = relays.slice(0, flowCount);
  return {
    kernel,
    flows,
    small: { peer: peers[flowCount]!, fd: descriptor(clients[flowCount]!) },
    begin: async () => {
      for (let i = 0; i < flowCount; i++) {
        kernel.sources.add(descriptor(clients[i]!));
        void peers[i]!.send('x');
      }
      await until('all are bulk', () => flows.every(flow => flow.bytesFromClient > 1024 * KIB));
      kernel.mostBytes = 0;
    },
  };
}

for (const flowCount of [1, 8, 40]) {
  const many = `${flowCount} bulk flow${flowCount === 1 ? '' : 's'}`;
  void t.test(`beside ${many} a small request waits for less than 512 KiB of them`, { skip }, async t => {
    if (!loaded.ok) return;
    const { kernel, flows, small, begin } = await sessions(t, loaded.libc, flowCount);
    await begin();
    const before = flows.map(flow => flow.bytesFromClient);
    let text = '';
    for (let i = 0; i < 20; i++) {
      await small.peer.send(`${i};`);
      text += `${i};`;
      await small.peer.untilText(text);
    }
    await until('all move on', () => flows.every((flow, i) => flow.bytesFromClient > before[i]!));
    t.ok(kernel.mostBytes < BOUND_BYTES, `${kernel.mostBytes / KIB} KiB at most between two looks`);
    t.ok(kernel.mostBytes > 0);
    for (const flow of flows) flow.abort();
  });
}

void t.test('who is ready is served before bulk flows have their turn', { skip }, async t => {
  if (!loaded.ok) return;
  const { kernel, flows, small, begin } = await sessions(t, loaded.libc, 8);
  await begin();
  const movedBefore: number[] = [];
  kernel.onRead = fd => {
    if (fd === small.fd) movedBefore.push(kernel.movedBytes);
  };
  for (let i = 1; i <= 20; i++) {
    await small.peer.send('x');
    await small.peer.untilText('x'.repeat(i));
  }
  t.strictSame(movedBefore, Array<number>(movedBefore.length).fill(0));
  t.ok(movedBefore.length >= 20);
  for (const flow of flows) flow.abort();
});

void t.test('bulk flows move on by turns, and get the same share', { skip }, async t => {
  if (!loaded.ok) return;
  const { flows, begin } = await sessions(t, loaded.libc, 8);
  await begin();
  const before = flows.map(flow => flow.bytesFromClient);
  const moved = (): number[] => flows.map((flow, i) => flow.bytesFromClient - before[i]!);
  await until('each has moved 64 MiB', () => Math.min(...moved()) > 64 * KIB * KIB);
  const [least, most] = [Math.min(...moved()), Math.max(...moved())];
  t.ok(most < 1.1 * least, `${least} to ${most} bytes`);
  for (const flow of flows) flow.abort();
});

for (const { events, turns } of [
  { events: 1, turns: 1 },
  { events: 64, turns: 5 },
  { events: 500, turns: 8 },
]) {
  const many = `${events} event${events === 1 ? '' : 's'}`;
  void t.test(`behind ${many} come ${turns} of 8 bulk flows: many requests do not starve them`, async t => {
    const kernel = new FakeKernel(epollLayout('x64')!);
    const options = { now: () => 0, lingerMs: () => 0, ceilingMs: 50 };
    const reactor = new Reactor(kernel.libc(), options);
    t.teardown(() => reactor.close());
    const inFirstRound: string[] = [];
    const note = (what: string): void => {
      if (kernel.timeouts.length === 1) inFirstRound.push(what);
    };
    const fds = Array.from({ length: events }, (_, i) => i + 3);
    for (const fd of fds)
      reactor.add(
        fd,
        watched(() => note('event')),
        EPOLLIN,
      );
    const flow = {
      runTurn: (): number => {
        note('turn');
        return 256 * KIB;
      },
    };
    for (let i = 0; i < 8; i++) reactor.inTurn(flow);
    kernel.batches.push(fds.map(fd => [fd, EPOLLIN]));
    await new Promise(resolve => setImmediate(resolve));
    t.strictSame(inFirstRound, [
      ...Array<string>(events).fill('event'),
      ...Array<string>(turns).fill('turn'),
    ]);
  });
}
