/**
 * Thousands of sessions that end in every way: each is accounted for once, and afterwards nothing is left over.
 */
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { createLoadBalancer } from '../../src/index.ts';
import { formatAddress, parseAddress } from '../../src/support/address.ts';
import { refusingAddress, startBackend } from '../harness/backend.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { FULL } from '../harness/full-load.ts';
import { until } from '../harness/until.ts';

const SESSIONS = FULL ? 10_000 : 3_000;
const AT_ONCE = 50;

/** What a client does, by turns; the backend echoes, or does what the first byte says. */
const CLIENTS: readonly ((client: Socket) => void)[] = [
  client => {
    client.write('echo');
    client.once('data', () => client.end());
  },
  // Gone before lb4 could accept it: no session.
  client => client.resetAndDestroy(),
  client => {
    client.write('echo, then reset');
    client.once('data', () => client.resetAndDestroy());
  },
  client => client.end(),
  client => client.write('R'),
  client => client.write('F'),
];

/** Plays one client to its end. */
function play(host: string, port: number, turn: number): Promise<void> {
  return new Promise(resolve => {
    const client = connect({ host, port, allowHalfOpen: true });
    client.on('error', () => undefined);
    client.on('end', () => client.end());
    client.on('connect', () => CLIENTS[turn % CLIENTS.length]?.(client));
    client.on('close', () => resolve());
    client.resume();
  });
}

void t.test(`${SESSIONS} sessions of mixed endings leave nothing behind`, async t => {
  const backend = await startBackend(t, peer => {
    peer.socket.on('data', (chunk: Buffer) => {
      if (chunk[0] === 'R'.charCodeAt(0)) peer.reset();
      else if (chunk[0] === 'F'.charCodeAt(0)) peer.socket.end();
      else peer.socket.write(chunk);
    });
    peer.socket.on('end', () => peer.socket.end());
  });
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        strategy: 'roundrobin',
        health: 'off',
        pool: { warm: 2 },
        // One of two refuses: half of the sessions are dispatched twice.
        backends: [formatAddress(backend.address), formatAddress(await refusingAddress())],
      },
    ],
  });
  let closed = 0;
  const seen = new Map<string, number>();
  balancer.on('session:closed', ({ by, phase, reason }) => {
    closed += 1;
    const how = `${by} ${phase} ${reason}`;
    seen.set(how, (seen.get(how) ?? 0) + 1);
  });
  await balancer.start();
  const parsed = parseAddress(balancer.snapshot().listeners[0]?.addresses[0] ?? '');
  if (!parsed.ok) throw new Error(parsed.expected);

  if (parsed.address.kind !== 'tcp') throw new Error('not a TCP listener');
  const { host, port } = parsed.address;

  const sockets = () => process.getActiveResourcesInfo().filter(kind => kind === 'TCPSocketWrap').length;
  let started = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (started < SESSIONS) await play(host, port, started++);
    }),
  );
  await until('every session is closed', () => balancer.snapshot().sessions === 0);
  const { sessionsEver } = balancer.snapshot();
  // Workers tell of a session a moment after it has ended.
  await until('every session is reported', () => closed >= sessionsEver);
  t.equal(closed, sessionsEver, 'every session was accounted for once');
  t.ok(sessionsEver >= Math.floor((SESSIONS * 5) / 6), 'and every client that stayed had one');
  t.comment(Object.fromEntries(seen));
  for (const how of [
    'client relay closed',
    'client relay reset',
    'backend relay closed',
    'backend relay reset',
  ]) {
    t.ok((seen.get(how) ?? 0) > SESSIONS / 10, how);
  }
  const { backends = [] } = balancer.snapshot().upstreams[0] ?? {};
  t.same(
    backends.map(({ sessions }) => sessions),
    [0, 0],
    'no session is counted any more',
  );
  await balancer.stop();
  for (const peer of backend.peers) peer.socket.destroy();
  await until('every socket is gone', () => sockets() === 0);
  t.equal(closed, sessionsEver, 'and nothing came after');
});
