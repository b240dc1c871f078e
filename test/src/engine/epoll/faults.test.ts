/** The engine in trouble: no descriptors, a full backlog, peers that reset at the worst moment, and idling. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import t, { type Test } from 'tap';

import { createEpollEngine } from '../../../../src/engine/epoll/epoll-engine.ts';
import { loadLibc } from '../../../../src/linux/libc.ts';
import type { ConnectResult } from '../../../../src/engine/engine.ts';
import type { Address, TcpAddress } from '../../../../src/support/address.ts';
import { connectTo, join, listen } from '../../../contracts/engine/fixture.ts';
import { scripts, startBackend } from '../../../harness/backend.ts';
import { connectClient } from '../../../harness/client.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';
import { FULL } from '../../../harness/full-load.ts';
import { startEpollProgram, type EpollProgram } from '../../../harness/epoll-program.ts';
import { pause, until, untilSteady } from '../../../harness/until.ts';

const IDLE_SESSIONS = FULL ? 8000 : 2000;
const BACKLOG_CLIENTS = 10_000;

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

/** Connects without waiting, and keeps the client whatever becomes of it. */
function begin(t: Test, address: Address): Socket {
  const { host, port } = address as TcpAddress;
  const socket = connect({ host, port });
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  return socket;
}

/** The share of a core that the program uses while nothing happens. */
async function cpuShare(program: EpollProgram, forMs: number): Promise<number> {
  const [start, before] = [performance.now(), await program.cpuMs()];
  await pause(forMs);
  return ((await program.cpuMs()) - before) / (performance.now() - start);
}

void t.test('with 64 descriptors: no spin, and who waits is served later', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const program = await startEpollProgram(t, backend.address, { descriptors: 64 });
  program.say('hold');
  await until('it holds', () => program.told('done hold') === 1);
  const clients = Array.from({ length: 100 }, () => begin(t, program.address));
  await until('descriptors run out', () => program.told('exhausted EMFILE') > 0);
  const accepted = await untilSteady('what is accepted', () => program.told('client'));
  t.ok(accepted > 10 && accepted < 64, `${accepted} of ${clients.length} are accepted`);
  const share = await cpuShare(program, 1000);
  t.ok(share < 0.1, `it used ${(100 * share).toFixed(1)} % of a core meanwhile`);
  t.ok(program.told('exhausted EMFILE') < 50, 'and said so now and then');

  program.say('connect');
  await until('it is told', () => program.told('failed localResources') === 1);

  program.say('release');
  await until('the others are accepted', () => program.told('client') > accepted);
  for (let i = 0; i < 10 && program.told('client') < clients.length; i++) {
    program.say('release');
    await pause(120);
  }
  t.equal(program.told('client'), clients.length, 'everybody had a turn');
  program.say('release');
  program.say('relay');
  await until('all are released', () => program.told('done relay') === 1);
  const late = await connectClient(t, program.address);
  await late.send('hello');
  await late.untilText('hello');
});

void t.test('at the limit of descriptors bulk goes on without pipes', { skip }, async t => {
  const backend = await startBackend(t, scripts.echo);
  const program = await startEpollProgram(t, backend.address, { descriptors: 64 });
  const client = await connectClient(t, program.address);
  await client.send('a');
  await client.untilText('a');
  program.say('hold');
  const others = Array.from({ length: 80 }, () => begin(t, program.address));
  await until('descriptors run out', () => program.told('exhausted EMFILE') > 0);
  t.ok(others.length > 0);
  const bytes = 8 * 1024 * 1024;
  void client.send(Buffer.alloc(bytes, 'x'));
  await client.untilBytes(bytes + 1);
});

void t.test('where the epoll set has no room, the listener tries again', { skip }, async t => {
  if (!loaded.ok) return;
  const { libc } = loaded;
  let isFull = true;
  // A wait that a signal ends has an errno of its own.
  let isRefused = false;
  const engine = createEpollEngine({
    libc: {
      ...libc,
      epoll_ctl: (...args) => {
        isRefused = isFull;
        return isFull ? -1 : libc.epoll_ctl(...args);
      },
      epoll_wait: (...args) => {
        isRefused = false;
        return libc.epoll_wait(...args);
      },
      errno: () => (isRefused ? constants.errno.ENOSPC : libc.errno()),
    },
    now: () => performance.now(),
    clock: { nowMs: 0 },
    ceilingMs: 1,
  });
  const told: string[] = [];
  let clients = 0;
  const listener = await engine.listen(
    { kind: 'tcp', host: '127.0.0.1', port: 0 },
    {
      onClient: client => {
        clients++;
        client.reset();
      },
      onExhausted: code => told.push(code),
    },
  );
  t.teardown(() => listener.close());
  t.strictSame(told, [], 'not before the call has returned');
  await until('it is told twice', () => told.length > 1);
  t.equal(told[0], 'ENOSPC');
  const failed = await connectTo(engine, (await startBackend(t)).address);
  t.match(failed, { ok: false, failure: { reason: 'localResources', code: 'ENOSPC' } });
  begin(t, listener.address);
  isFull = false;
  await until('the client is accepted', () => clients === 1);
});

void t.test('a backlog of 10,000 is worked off in order, and sessions go on meanwhile', { skip }, async t => {
  const somaxconn = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  const engine = newEpollEngine();
  const session = await join(t, engine, scripts.echo);
  const ports: number[] = [];
  const moved = (): number => session.relay.bytesFromClient + session.relay.bytesFromBackend;
  let movedAtFirst = -1;
  const { listener } = await listen(t, engine, undefined, client => {
    if (movedAtFirst < 0) movedAtFirst = moved();
    ports.push(client.peerPort);
  });
  listener.pause();
  // In a process of its own: it has descriptors of its own, and connects while this one is busy.
  const { port } = listener.address as TcpAddress;
  const program = `
    const net = require('node:net'), ports = [];
    const next = () => {
      if (ports.length === ${BACKLOG_CLIENTS}) return;
      const socket = net.connect(${port}, '127.0.0.1').on('error', () => undefined);
      socket.on('connect', () => { ports.push(socket.localPort); next(); });
    };
    for (let i = 0; i < 50; i++) next();
    let last = 0;
    const timer = setInterval(() => {
      if (ports.length === last && last > 0) { process.stdout.write(JSON.stringify(ports) + '\\n'); clearInterval(timer); }
      last = ports.length;
    }, 150);`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await until('as many as fit are connected', () => text.endsWith('\n'), 30_000);
  const waiting = JSON.parse(text) as number[];
  t.ok(waiting.length >= Math.min(somaxconn, 4096), `${waiting.length} wait`);

  session.client.socket.on('data', () => session.client.socket.write('x'));
  session.client.socket.write('x');
  await until('the session runs', () => moved() > 20);
  listener.resume();
  await until('all are accepted', () => ports.length >= waiting.length, 30_000);
  // Its peers live in this thread, which the engine gives a turn only now and then.
  t.ok(moved() >= movedAtFirst + 2, `the session moved ${moved() - movedAtFirst} times meanwhile`);
  const known = new Set(waiting);
  const order = new Map(waiting.map((each, i) => [each, i]));
  const accepted = ports.filter(each => known.has(each));
  // Fifty connected at a time: so far the order in which they were told may differ from the kernel's.
  const displaced = accepted.map((each, i) => Math.abs((order.get(each) ?? 0) - i));
  t.ok(
    Math.max(...displaced.slice(0, 4000)) <= 100,
    `displaced by ${Math.max(...displaced.slice(0, 4000))} at most`,
  );
});

void t.test('clients that reset before they are accepted harm nobody', { skip }, async t => {
  const engine = newEpollEngine();
  const { listener, clients } = await listen(t, engine);
  listener.pause();
  const gone = await Promise.all(Array.from({ length: 100 }, () => connectClient(t, listener.address)));
  for (const each of gone) each.reset();
  const stays = await connectClient(t, listener.address);
  listener.resume();
  await until('the last is accepted', () => clients.some(each => each.peerPort === stays.socket.localPort));
  const changes: string[] = [];
  for (const each of clients) if (each.peerPort !== stays.socket.localPort) each.watch(c => changes.push(c));
  const dead = clients.length - 1;
  await until('all others are known to be dead', () => changes.length === dead);
  t.ok(changes.every(change => change === 'dead'));
});

void t.test(
  'a backend that resets during connect is a failure, or a connection that is dead',
  { skip },
  async t => {
    const engine = newEpollEngine();
    // Every other one closes its listening socket too, with the connection in its queue: the kernel resets it.
    const results: ConnectResult[] = [];
    for (let i = 0; i < 40; i++) {
      const backend = await startBackend(t, peer => peer.reset());
      const connecting = connectTo(engine, backend.address);
      if (i % 2 === 0) void backend.close();
      results.push(await connecting);
    }
    for (const result of results) {
      if (!result.ok) {
        t.match(result.failure.reason, /^(reset|refused)$/);
        continue;
      }
      const changes: string[] = [];
      result.connection.watch(change => changes.push(change));
      await until('its death is told', () => changes.includes('dead'));
      result.connection.reset();
    }
    t.pass();
  },
);

void t.test(`${IDLE_SESSIONS} idle sessions cost nothing`, { skip, timeout: 90_000 }, async t => {
  const backend = await startBackend(t);
  const program = await startEpollProgram(t, backend.address);
  for (let i = 0; i < IDLE_SESSIONS; i += 100) {
    await Promise.all(Array.from({ length: 100 }, () => connectClient(t, program.address)));
  }
  await until('all are relayed', () => program.told('relayed') === IDLE_SESSIONS, 30_000);
  await pause(300);
  const share = await cpuShare(program, 2000);
  t.ok(share < 0.01, `${(100 * share).toFixed(2)} % of a core`);
});
