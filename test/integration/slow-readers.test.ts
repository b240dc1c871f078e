/**
 * A receiver that still takes what was sent to it is not silent, however long ago its last byte left the balancer for
 * the kernel: no timeout cuts what is being delivered. One that has stopped taking anything is silent.
 */
import t, { type Test } from 'tap';

import { SIOCOUTQ, SOL_SOCKET } from '../../src/linux/abi.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type SessionRecord } from '../../src/index.ts';
import { formatAddress, parseAddress, type Address } from '../../src/support/address.ts';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import type { Ending, Peer } from '../harness/peer.ts';
import { descriptorOf } from '../harness/segments.ts';
import { until } from '../harness/until.ts';

const BYTES = 2 * 1024 * 1024;
const TIMEOUT_MS = 1000;
/** 2 MiB in some 4 seconds. */
const CHUNK_BYTES = 32 * 1024;
const EVERY_MS = 60;
/** So small that what it holds is read within the timeout: what the client's own system has taken is delivered. */
const RECEIVE_BUFFER_BYTES = 64 * 1024;

const loaded = loadLibc();
const libc = loaded.ok ? loaded.libc : undefined;
const skip = libc === undefined ? 'needs koffi on Linux' : false;

const SO_RCVBUF = 8;
const int32 = Buffer.alloc(4);

interface Session {
  readonly client: Peer;
  readonly backend: Peer;
  readonly closed: () => SessionRecord | undefined;
}

/** How the backend ends after its last byte, and what the client sees behind that byte. */
const ENDINGS: readonly {
  readonly after: string;
  readonly end: (session: Session) => void;
  readonly arrives: Ending;
  readonly record: Partial<SessionRecord>;
}[] = [
  {
    after: 'a reset',
    end: ({ backend }) => backend.reset(),
    arrives: 'reset',
    record: { by: 'backend', reason: 'reset' },
  },
  {
    after: 'a FIN',
    end: ({ backend }) => backend.halfClose(),
    arrives: 'fin',
    record: { by: 'backend', reason: 'closed' },
  },
  {
    after: 'nothing: it stays',
    end: () => undefined,
    arrives: 'reset',
    record: { by: 'balancer', reason: 'idle' },
  },
];

async function startBalancer(t: Test, engine: 'node' | 'epoll'): Promise<{ join: () => Promise<Session> }> {
  const backend = await startBackend(t);
  const balancer = createLoadBalancer({
    engine,
    workers: engine === 'epoll' ? 1 : 0,
    listeners: [
      {
        name: 'web',
        bind: '127.0.0.1:0',
        upstream: 'app',
        timeouts: { idle: TIMEOUT_MS, halfClosed: TIMEOUT_MS },
      },
    ],
    upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
  });
  t.teardown(() => balancer.stop());
  const records = new Map<number, SessionRecord>();
  balancer.on('session:closed', record => records.set(record.clientPort, record));
  await balancer.start();
  const parsed = parseAddress(balancer.snapshot().listeners[0]?.addresses[0] ?? '');
  if (!parsed.ok) throw new Error(parsed.expected);
  const address: Address = parsed.address;
  return {
    async join() {
      const client = await connectClient(t, address);
      int32.writeInt32LE(RECEIVE_BUFFER_BYTES);
      libc?.setsockopt(descriptorOf(client.socket), SOL_SOCKET, SO_RCVBUF, int32, int32.length);
      const port = client.socket.localPort ?? 0;
      return { client, backend: await backend.next(), closed: () => records.get(port) };
    },
  };
}

/** The backend sends it all; resolves once the balancer has it, so that a reset can take nothing of it back. */
async function sendAll({ backend }: Session): Promise<void> {
  await backend.send(Buffer.alloc(BYTES, 'lb4'));
  const fd = descriptorOf(backend.socket);
  await until('the balancer has it all', () => {
    libc?.ioctl(fd, SIOCOUTQ, int32);
    return int32.readInt32LE(0) === 0;
  });
}

for (const engine of ['node', 'epoll'] as const) {
  void t.test(`${engine}: a slow reader gets every byte, however its backend ends`, { skip }, async t => {
    const { join } = await startBalancer(t, engine);
    const play = async ({ after, end, arrives, record }: (typeof ENDINGS)[number]): Promise<void> => {
      const session = await join();
      const { client } = session;
      client.readSlowly(CHUNK_BYTES, EVERY_MS);
      await sendAll(session);
      end(session);
      t.equal(await client.untilEnded(), arrives, `after ${after} comes a ${arrives}`);
      t.equal(client.receivedBytes, BYTES, 'behind all the bytes');
      client.halfClose();
      await until('the session is closed', () => session.closed() !== undefined);
      t.match(session.closed(), { ...record, bytesFromBackend: BYTES });
    };
    await Promise.all(ENDINGS.map(play));
  });

  void t.test(`${engine}: a reader that has stopped reading is silent`, { skip }, async t => {
    const { join } = await startBalancer(t, engine);
    const play = async ({ after, end, record }: (typeof ENDINGS)[number]): Promise<void> => {
      const session = await join();
      session.client.stall();
      await sendAll(session);
      end(session);
      await until('the session is closed', () => session.closed() !== undefined, 10_000);
      const reason = record.reason === 'idle' ? 'idle' : 'halfClosed';
      t.match(session.closed(), { by: 'balancer', reason }, `after ${after}`);
      session.client.read();
      t.equal(await session.client.untilEnded(), 'reset');
    };
    await Promise.all(ENDINGS.map(play));
  });
}
