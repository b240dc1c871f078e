/**
 * 5,000 clients that hold all that their limits allow, and come again and again: what is left for an honest client.
 *
 * The times are reported, not asserted: they are those of a machine that also runs the abusive clients.
 */
import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { COUNTERS, createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { FULL } from '../harness/full-load.ts';
import { addressOf } from '../harness/listening-address.ts';
import { pause, until } from '../harness/until.ts';

t.setTimeout(180_000);

const ABUSIVE = FULL ? 5_000 : 300;
/** Each comes again at this interval. */
const AGAIN_MS = 5_000;
const SAMPLES = FULL ? 1_000 : 60;

/**
 * A program: clients from as many addresses as said, at a port. First each holds a session; then each comes again and
 * again. Says how many sessions it holds and how many clients were reset, a line each time that it is asked.
 */
const ABUSE = `((port, count, everyMs) => {
  const net = require('node:net');
  let [held, reset] = [0, 0];
  const come = client => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress: '127.10.' + (client >> 8) + '.' + (client & 255) });
    let isHeld = false;
    socket.on('error', () => undefined);
    socket.on('data', () => { isHeld ||= (held += 1) > 0; });
    socket.on('close', () => { if (isHeld) held -= 1; else reset += 1; });
    socket.write('x');
  };
  let next = 0;
  const comeInTurn = perTick => {
    for (let i = 0; i < perTick; i++) come(next++ % count);
  };
  const filling = setInterval(() => {
    if (next >= count) {
      clearInterval(filling);
      const perTick = Math.ceil((count * 20) / everyMs);
      setInterval(() => comeInTurn(perTick), 20);
    } else comeInTurn(Math.min(50, count - next));
  }, 20);
  process.stdin.on('data', () => process.stdout.write(held + ' ' + reset + '\\n'));
  process.stdin.on('end', () => process.exit());
})(...process.argv.slice(1).map(Number))`;

function startAbuse(t: Test, balancer: LoadBalancer) {
  const { port } = addressOf(balancer);
  const child = spawn(process.execPath, ['-e', ABUSE, `${port}`, `${ABUSIVE}`, `${AGAIN_MS}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  const said: string[] = [];
  child.stdout.on('data', (bytes: Buffer) => said.push(bytes.toString()));
  return async (): Promise<{ held: number; reset: number }> => {
    const before = said.length;
    child.stdin.write('?');
    await until('it answers', () => said.length > before, 30_000);
    const [held = 0, reset = 0] = (said.at(-1) ?? '').split(' ').map(Number);
    return { held, reset };
  };
}

interface Times {
  readonly connectMs: number;
  readonly answerMs: number;
}

/** An honest client: it connects, asks, has its answer and goes. Rejects when it is refused. */
async function ask(balancer: LoadBalancer, index: number): Promise<Times> {
  const { host, port } = addressOf(balancer);
  const localAddress = `127.99.${index >> 8}.${index & 255}`;
  const beganMs = performance.now();
  const socket = connect({ host, port, localAddress });
  return new Promise((resolve, reject) => {
    let connectMs = 0;
    socket.on('connect', () => {
      connectMs = performance.now() - beganMs;
      socket.write('x');
    });
    socket.on('data', () => {
      resolve({ connectMs, answerMs: performance.now() - beganMs });
      socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed without an answer')));
  });
}

async function measure(balancer: LoadBalancer, first: number): Promise<Times[]> {
  const all: Times[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    all.push(await ask(balancer, first + i));
    await pause(5);
  }
  return all;
}

function wordsOf(times: readonly Times[]): string {
  const at = (part: number, of: (one: Times) => number): string =>
    (times.map(of).toSorted((a, b) => a - b)[Math.floor(part * (times.length - 1))] ?? 0).toFixed(2);
  const both = [0.5, 0.99].map(
    part => `p${100 * part} ${at(part, one => one.connectMs)} / ${at(part, one => one.answerMs)} ms`,
  );
  return both.join(', ');
}

for (const workers of FULL ? [1, 2] : [2])
  void t.test(
    `${ABUSIVE} abusive clients are held by their limits, and honest ones are served: ${workers} workers`,
    { skip: !loadLibc().ok && 'workers need koffi on Linux' },
    async t => {
      const backend = await startBackend(t, scripts.echo);
      const balancer = createLoadBalancer({
        ...DATA_PLANE,
        workers,
        listeners: [
          {
            name: 'web',
            bind: '127.0.0.1:0',
            upstream: 'app',
            limits: { perClient: { sessions: 1, rate: '10/m' } },
          },
        ],
        upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
      });
      t.teardown(() => balancer.stop());
      await balancer.start();
      // The first sessions run code that is not compiled yet.
      await measure(balancer, 0);
      const idle = await measure(balancer, SAMPLES);
      const abuse = startAbuse(t, balancer);
      await until('each holds its session', async () => (await abuse()).held === ABUSIVE, 60_000);
      const before = await abuse();
      const beganMs = performance.now();
      const busy = await measure(balancer, 2 * SAMPLES);
      const after = await abuse();
      const perSecond = (1_000 * (after.reset - before.reset)) / (performance.now() - beganMs);
      const counts = balancer.counters()?.listeners[0]?.counts;
      const uncounted = counts?.total(COUNTERS.listener.uncounted) ?? 0;
      // On a machine with far too little processor time a thread may lose it while it has a lock of the table.
      t.ok(after.held >= ABUSIVE && after.held <= ABUSIVE + uncounted, 'each holds one session, and no more');
      t.comment(`${uncounted} clients were let in uncounted`);
      t.ok(after.reset > before.reset);
      t.equal(busy.length, SAMPLES, 'no honest client was refused');
      t.comment(`${Math.round(perSecond)} clients a second were reset; to connect / to have an answer:`);
      t.comment(`idle: ${wordsOf(idle)}`);
      t.comment(`held: ${wordsOf(busy)}`);
    },
  );
