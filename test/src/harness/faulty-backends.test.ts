/** Faulty backends do what they are told, without lb4 in between. */
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { TcpAddress } from '../../../src/support/address.ts';
import { connectClient } from '../../harness/client.ts';
import { ownHost, PROBE_PATH, type Behaviour } from '../../harness/faulty-backend.ts';
import { startBackendProcess, startFaultyBackend } from '../../harness/faulty-backends.ts';
import { runPacedSessions, summary } from '../../harness/paced-sessions.ts';
import { pause, until } from '../../harness/until.ts';

const noFilters = process.platform !== 'linux' && 'losing segments takes Linux';
/** Long enough for anything that is going to happen on loopback. */
const SILENCE_MS = 150;

/** What becomes of a connect within a short time: 'connected', 'timeout' or an error code. */
function tryConnect(t: Test, address: TcpAddress, withinMs = 5_000): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(address);
    t.teardown(() => socket.destroy());
    socket.once('connect', () => resolve('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    setTimeout(() => resolve('timeout'), withinMs).unref();
  });
}

async function ask(t: Test, address: TcpAddress, path = '/') {
  const client = await connectClient(t, address);
  await client.send(`GET ${path} HTTP/1.1\r\n\r\n`);
  return client;
}

void t.test('one that serves answers with its name, and counts probes by themselves', async t => {
  const backend = await startFaultyBackend(t, 'serve', { name: 'good' });
  const client = await ask(t, backend.address);
  t.equal(await client.untilEnded(), 'fin');
  t.match(client.text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\ngood\n$/);
  await (await ask(t, backend.address, PROBE_PATH)).untilEnded();
  t.match(backend.counters, { connects: 2, served: 1, probes: 1, mostOpen: 2 });
});

void t.test('one that refuses does so at once, cuts what is open, and has its port back later', async t => {
  const backend = await startFaultyBackend(t, 'serve');
  const { address } = backend;
  const open = await connectClient(t, address);
  await until('it is accepted', () => backend.counters.open === 1);
  await backend.become('refuse');
  t.equal(await tryConnect(t, address), 'ECONNREFUSED');
  t.equal(await open.untilEnded(), 'reset');
  await backend.become('serve');
  t.same(backend.address, address);
  t.equal(await (await ask(t, address)).untilEnded(), 'fin');
});

void t.test('its address is its own: another backend gets another one', async t => {
  const [one, other] = [await startFaultyBackend(t, 'refuse'), await startFaultyBackend(t, 'refuse')];
  t.not(one.address.host, other.address.host);
  t.not(ownHost(0), '127.0.0.1');
});

void t.test(
  'a black hole lets connects hang and open connections fall silent, until it serves again',
  { skip: noFilters },
  async t => {
    const backend = await startFaultyBackend(t, { greetLate: 0 });
    const open = await connectClient(t, backend.address);
    await open.untilText('greetLate');
    await backend.become('blackHole');
    t.equal(await tryConnect(t, backend.address, SILENCE_MS), 'timeout');
    t.equal(open.ending, undefined);
    await backend.become('serve');
    t.equal(await (await ask(t, backend.address)).untilEnded(), 'fin');
    t.equal(backend.counters.connects, 2, 'it has seen nothing of the connect that hung');
  },
);

void t.test('accept and close: a FIN, even for a client that has sent something', async t => {
  const backend = await startFaultyBackend(t, 'acceptAndClose');
  const client = await ask(t, backend.address);
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.receivedBytes, 0);
});

void t.test('accept and reset: a reset', async t => {
  const backend = await startFaultyBackend(t, 'acceptAndReset');
  // It may come before the client's own system has told it that it is connected.
  const ending = connectClient(t, backend.address).then(
    client => client.untilEnded(),
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  );
  t.match(await ending, /^(reset|ECONNRESET)$/);
});

void t.test('one that never reads leaves everything in the kernel', async t => {
  const backend = await startFaultyBackend(t, 'acceptNeverRead');
  const client: Socket = (await connectClient(t, backend.address)).socket;
  const block = Buffer.alloc(1024 * 1024);
  let taken = 0;
  for (let i = 0; i < 64; i++) client.write(block, error => (taken += error ? 0 : 1));
  await pause(SILENCE_MS);
  t.ok(taken < 32, `the kernel took ${taken} MiB`);
  t.equal(client.destroyed, false);
});

void t.test('one that greets late says nothing before', async t => {
  const backend = await startFaultyBackend(t, { greetLate: 60 }, { name: 'late' });
  const client = await connectClient(t, backend.address);
  const from = performance.now();
  await client.untilText('late\n');
  t.ok(performance.now() - from > 40);
});

void t.test('one that resets after so many bytes takes the ones before', async t => {
  const backend = await startFaultyBackend(t, { resetAfter: 10 });
  const client = await connectClient(t, backend.address);
  await client.send('123456789');
  await pause(20);
  t.equal(client.ending, undefined);
  await client.send('!');
  t.equal(await client.untilEnded(), 'reset');
});

void t.test('one that drips answers byte by byte', async t => {
  const backend = await startFaultyBackend(t, { drip: 2 }, { name: 'tap' });
  const client = await connectClient(t, backend.address);
  let pieces = 0;
  client.socket.on('data', () => pieces++);
  await client.send('GET / HTTP/1.1\r\n\r\n');
  t.equal(await client.untilEnded(), 'fin');
  t.match(client.text, /tap\n$/);
  t.ok(pieces > client.receivedBytes / 2, `${pieces} pieces`);
});

void t.test('one that flaps refuses and serves in turn on the same port', async t => {
  const backend = await startFaultyBackend(t, { flap: 60 });
  const seen: string[] = [];
  const deadline = performance.now() + 10_000;
  while (seen.length < 4 && performance.now() < deadline) {
    const how = await tryConnect(t, backend.address);
    // What stood in the backlog when the listener went is reset: neither served nor refused.
    if (how !== 'ECONNRESET' && how !== seen.at(-1)) seen.push(how);
    await pause(5);
  }
  t.same(seen, ['connected', 'ECONNREFUSED', 'connected', 'ECONNREFUSED']);
});

void t.test('one with a limit serves that many at a time, the others afterwards', async t => {
  const backend = await startFaultyBackend(t, { limited: 2, takesMs: 40 });
  const from = performance.now();
  const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => ask(t, backend.address)));
  for (const client of clients) client.halfClose();
  await Promise.all(clients.map(client => client.untilText('limited')));
  t.ok(performance.now() - from > 2 * 40, 'three rounds of two');
  t.match(backend.counters, { served: 6, mostOpen: 6 });
});

void t.test('in a process of their own they obey alike, and can be stopped as a whole', async t => {
  const { backends, ...other } = await startBackendProcess(t, { one: 'serve', two: 'refuse' });
  const [one, two] = backends;
  t.match(await one!.counters(), { connects: 0 });
  t.equal(await (await ask(t, one!.address)).untilEnded(), 'fin');
  t.match(await one!.counters(), { connects: 1, served: 1 });
  t.equal(await tryConnect(t, two!.address), 'ECONNREFUSED');
  await two!.become('serve');

  other.stop();
  const client = await ask(t, two!.address);
  await pause(SILENCE_MS);
  t.equal(client.receivedBytes, 0, 'the kernel has accepted, nobody answers');
  other.resume();
  await client.untilText('two\n');
});

void t.test('paced sessions are as many as planned, and tell each how it went', async t => {
  const load = { ratePerSecond: 200, durationMs: 250 };
  const expected: readonly (readonly [Behaviour, string])[] = [
    ['serve', 'ok'],
    ['refuse', 'refused'],
    ['acceptAndClose', 'eof'],
    ['acceptAndReset', 'reset'],
    ['acceptNeverRead', 'timeout'],
    [{ greetLate: 1 }, 'timeout'],
  ];
  await Promise.all(
    expected.map(async ([behaviour, outcome]) => {
      const { address, name } = await startFaultyBackend(t, behaviour);
      const answerWithinMs = outcome === 'timeout' ? SILENCE_MS : 10_000;
      const outcomes = await runPacedSessions(t, { ...load, address, answerWithinMs });
      t.equal(outcomes.length, 50);
      t.same([...new Set(outcomes.map(each => each.outcome))], [outcome], name);
      t.equal(outcomes[49]?.plannedMs, 245);
      if (outcome !== 'ok') return;
      t.equal(outcomes[0]?.backend, 'serve');
      t.equal(new Set(outcomes.map(({ client }) => client)).size, 50, 'one address each');
      for (const line of summary(outcomes)) t.comment(line);
    }),
  );
});
