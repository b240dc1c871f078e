/** A process with few file descriptors: clients wait instead of being lost, and nothing spins. */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { ONE_THREAD } from '../harness/data-plane.ts';
import type { Peer } from '../harness/peer.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';

/** As many as lb4 says that it needs. */
const LIMIT = 192;
/** Clients beyond those that can have a session at once; they have to wait. */
const WAITING = 5;

/** Processor time of a process so far, in clock ticks (proc(5), fields 14 and 15). */
function processorTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** Connects until one is not refused: the flood's sessions take a moment to end. */
async function firstAccepted(t: Test, address: Address): Promise<Peer> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const client = await connectClient(t, address).catch(() => undefined);
    // A refused client may hear of it only after its connect.
    await new Promise(resolve => setTimeout(resolve, 20));
    if (client !== undefined && client.ending === undefined) return client;
  }
  throw new Error('nobody is accepted after the flood');
}

void t.test(
  `with ${LIMIT} descriptors, more clients than can be served at once are all served, some of them later`,
  { skip: process.platform !== 'linux' && 'descriptor limits are read from /proc' },
  async t => {
    const backend = await startBackend(t, scripts.echo);
    // With so few descriptors the room to wait in, of the node engine, is too small to be shared out.
    const workers = String(ONE_THREAD.workers);
    const args = [
      '-b',
      formatAddress(backend.address),
      '--health',
      'off',
      '--access-log',
      '--workers',
      workers,
    ];
    const lb4 = await startLb4(t, args, {
      command: ['bash', '-c', `ulimit -n ${LIMIT}; exec "$@"`, 'lb4', process.execPath, LB4],
    });
    const { maxSessions } = await lb4.line(({ event }) => event === 'started');
    t.ok(
      typeof maxSessions === 'number' && maxSessions >= 20 && maxSessions < LIMIT / 2,
      String(maxSessions),
    );
    const count = Number(maxSessions) + WAITING;

    const address = { kind: 'tcp', host: lb4.host, port: lb4.port } as const;
    const clients = await Promise.all(Array.from({ length: count }, () => connectClient(t, address)));
    await Promise.all(clients.map((client, i) => client.send(`client ${i}`)));
    await lb4.line(({ event, reason }) => event === 'listenerPaused' && reason === 'instanceLimit');

    const before = processorTicks(lb4.pid);
    await new Promise(resolve => setTimeout(resolve, 500));
    t.ok(processorTicks(lb4.pid) - before <= 10, 'while clients wait the process is idle');

    await Promise.all(
      clients.map(async (client, i) => {
        await client.untilText(`client ${i}`);
        client.halfClose();
        t.equal(await client.untilEnded(), 'fin');
      }),
    );
    t.equal(await lb4.stop(), 0);
    const sessions = lb4.lines.filter(({ event }) => event === 'session');
    t.equal(sessions.length, count);
    t.ok(
      sessions.every(({ reason }) => reason === 'closed'),
      'none was turned away',
    );
  },
);

void t.test(
  'a flood that no descriptor is left for is refused, and the next client is served',
  { skip: process.platform !== 'linux' && 'descriptor limits are read from /proc' },
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const lb4 = await startLb4(t, ['-b', formatAddress(backend.address), '--health', 'off'], {
      command: ['bash', '-c', `ulimit -n ${LIMIT}; exec "$@"`, 'lb4', process.execPath, LB4],
    });
    const address = { kind: 'tcp', host: lb4.host, port: lb4.port } as const;
    const flood = await Promise.allSettled(
      Array.from({ length: 4 * LIMIT }, () => connectClient(t, address)),
    );
    const clients = flood.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []));
    await lb4.line(({ event }) => event === 'listenerPaused');
    for (const client of clients) client.socket.destroy();
    const client = await firstAccepted(t, address);
    await client.send('after the flood');
    await client.untilText('after the flood');
    client.halfClose();
    await client.untilEnded();
    t.equal(await lb4.stop(), 0);
  },
);

void t.test(
  'more sessions than there are descriptors for are warned about, and the limit that is named is exactly enough',
  { skip: process.platform !== 'linux' && 'descriptor limits are read from /proc' },
  async t => {
    const args = ['-b', '127.0.0.1:1', '--health', 'off', '--max-sessions', '1000', '--workers', '1'];
    const start = async (limit: number) => {
      const command = ['bash', '-c', `ulimit -n ${limit}; exec "$@"`, 'lb4', process.execPath, LB4];
      const lb4 = await startLb4(t, args, { command });
      const { maxSessions } = await lb4.line(({ event }) => event === 'started');
      const short = lb4.lines.find(({ event }) => event === 'descriptorsShort');
      await lb4.stop();
      return { maxSessions, short };
    };
    const few = await start(256);
    t.match(few.short, { level: 'warn', maxSessions: 1_000, allowed: few.maxSessions, descriptorLimit: 256 });
    const needed = Number(few.short?.['descriptorsNeeded']);
    t.same(await start(needed), { maxSessions: 1_000, short: undefined });
    t.ok((await start(needed - 1)).short, 'one less is too few');
  },
);
