/** Clients that follow events and do not read, or are only half there: they are ended, and the others notice nothing. */
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { HEARTBEAT_MS, MOST_STREAMS } from '../../../src/admin/events/event-streams.ts';
import { fakePort, portOf, startAdmin } from '../../harness/admin.ts';
import { askWithoutReading, followEvents } from '../../harness/event-stream.ts';
import { FakeBalancer, snapshotWith, upstreamView } from '../../harness/fake-balancer.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { until } from '../../harness/until.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function start(t: Parameters<typeof startAdmin>[0]) {
  const clock = new FakeClock();
  const balancer = new FakeBalancer();
  const port = portOf(balancer);
  const admin = await startAdmin(t, { port, setTimer: clock.setTimer, uptimeMs: clock.now });
  const emit = (count: number, length: number): void => {
    for (let i = 0; i < count; i++)
      balancer.events.emit('backend:down', {
        ...{ upstream: 'app', backend: `${i}:1` },
        reason: 'x'.repeat(length),
      });
  };
  return { ...admin, clock, emit };
}

void t.test(
  'clients that do not read are ended, logged once, and one that reads gets every event',
  async t => {
    const { address, clock, entries, emit } = await start(t);
    const reader = await followEvents(t, address);
    for (let i = 0; i < 40; i++) askWithoutReading(t, address);
    const probe = await followEvents(t, address);
    // 5 MB; the kernel takes 0.2 MB for each.
    for (let round = 1; round <= 40; round++) {
      emit(100, 1_000);
      await Promise.all([reader, probe].map(stream => stream.first(round * 100)));
    }
    clock.advance(1_000);
    t.same(
      entries.map(({ event, fields }) => [event, fields?.['streams']]),
      [['adminSlowClient', 40]],
    );
    const numbers = reader.events.map(({ id = '' }) => Number(id.split('-')[1]));
    t.same(
      numbers,
      numbers.map((_, index) => index + 1),
      'none is missing, none comes twice',
    );
  },
);

void t.test('a burst of all that is kept ends no client that reads', async t => {
  const { address, clock, entries, emit } = await start(t);
  const readers = await Promise.all(Array.from({ length: 10 }, () => followEvents(t, address)));
  emit(1_000, 200);
  await new Promise(resolve => setImmediate(resolve));
  emit(10, 200);
  await Promise.all(readers.map(reader => reader.first(1_010)));
  clock.advance(1_000);
  t.same(entries, []);
});

void t.test(
  'a client that has taken nothing between two heartbeats is ended, though little waits for it',
  async t => {
    const { address, clock, entries, emit } = await start(t);
    askWithoutReading(t, address);
    const reader = await followEvents(t, address);
    // More than the kernel takes, less than ends it at once.
    emit(700, 1_000);
    await reader.first(700);
    for (let beat = 1; beat <= 2; beat++) {
      clock.advance(1_000);
      t.same(entries, [], `before heartbeat ${beat}`);
      clock.advance(HEARTBEAT_MS - 1_000);
      await until('the one that reads has it', () => reader.comments === beat);
    }
    clock.advance(1_000);
    t.match(entries, [{ event: 'adminSlowClient', level: 'warn' }]);
  },
);

void t.test('a client that does not read is sent no status after the one that it has not taken', async t => {
  const big = snapshotWith({ upstreams: [upstreamView('u'.repeat(1_000_000), [])] });
  const clock = new FakeClock();
  const port = fakePort(() => big);
  const { address } = await startAdmin(t, { port, setTimer: clock.setTimer, uptimeMs: clock.now });
  const path = '/api/v1/events?status=1s';
  const reader = await followEvents(t, address, { path });
  askWithoutReading(t, address, path);
  const follow = async (from: number, to: number): Promise<void> => {
    for (let second = from; second <= to; second++) {
      await reader.first(second);
      clock.advance(1_000);
    }
  };
  const held = (): number => {
    collectGarbage();
    return process.memoryUsage().arrayBuffers;
  };
  await follow(1, 4);
  const before = held();
  // The second heartbeat, after 30 s, would end it.
  await follow(5, 28);
  // What the reader itself still has to read goes by.
  await until('no status is kept', () => held() - before < 2_000_000);
});

void t.test('a client that closes its half is ended', async t => {
  const { address, clock } = await start(t);
  if (address.kind !== 'unix') throw new Error('a unix socket');
  const socket = connect({ path: address.path, allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.resume().on('error', () => undefined);
  socket.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await new Promise(resolve => socket.once('data', resolve));
  t.ok(clock.pending > 0);
  socket.end();
  await until('its timers are gone', () => clock.pending === 0);
});

void t.test('a stream behind another answer on the same connection is refused', async t => {
  const { address } = await start(t);
  if (address.kind !== 'unix') throw new Error('a unix socket');
  const socket = connect({ path: address.path });
  t.teardown(() => socket.destroy());
  let text = '';
  socket.on('error', () => undefined).on('data', (piece: Buffer) => (text += piece.toString()));
  const ask = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  socket.write(ask('/healthz') + ask('/api/v1/events'));
  await until('both are answered', () => text.includes('a stream needs a connection of its own'));
  t.match(text, /^HTTP\/1.1 200 /);
});

void t.test('200 pages at once: 64 are served, the others are refused in words', async t => {
  const clock = new FakeClock();
  const { address } = await startAdmin(t, { tcp: true, setTimer: clock.setTimer, uptimeMs: clock.now });
  const path = '/api/v1/events?status=1s';
  const asked = await Promise.allSettled(
    Array.from({ length: 200 }, () => followEvents(t, address, { path })),
  );
  const answered = asked.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []));
  const served = answered.filter(({ status }) => status === 200);
  t.equal(served.length, MOST_STREAMS);
  t.equal(answered.filter(({ status }) => status === 503).length, 200 - MOST_STREAMS);
  await Promise.all(served.map(stream => stream.first(1)));
  for (let second = 1; second <= 3; second++) {
    clock.advance(1_000);
    await Promise.all(served.map(stream => stream.first(1 + second)));
  }
  for (const stream of answered) stream.close();
  await until('all is given back', () => clock.pending === 0);
  const later = await followEvents(t, address, { path });
  t.equal(later.status, 200, 'there is room again');
});
