/** A backend that recovers with slow start, over sockets, checks and workers: what its live count says meanwhile. */
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';
import { until } from '../harness/until.ts';

const SLOW_START_MS = 2_000;
/** Sessions that run at a time; one in so many milliseconds ends, the oldest, and another begins. */
const SESSIONS = 60;
const EVERY_MS = 5;

/** Keeps `SESSIONS` sessions running until the test ends; each lasts as long as the others. */
function keepBusy(t: Test, port: number): void {
  const open = new Set<Socket>();
  const timer = setInterval(() => {
    const [oldest] = open;
    if (open.size >= SESSIONS && oldest !== undefined) {
      open.delete(oldest);
      oldest.destroy();
    }
    // Two where some were lost with their backend.
    for (let begun = 0; begun < 2 && open.size < SESSIONS; begun++) {
      const socket = connect({ host: '127.0.0.1', port });
      open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => open.delete(socket));
    }
  }, EVERY_MS);
  t.teardown(() => {
    clearInterval(timer);
    for (const socket of open) socket.destroy();
  });
}

const view = (balancer: LoadBalancer) => balancer.snapshot().upstreams[0]?.backends ?? [];

void t.test('what a recovering backend holds stays within its ramp, also with real sessions', async t => {
  const backends = [];
  for (let i = 0; i < 3; i++) backends.push(await startBackend(t, scripts.echo));
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        strategy: 'leastconn',
        slowStart: SLOW_START_MS,
        health: { interval: 150, rise: 1, fall: 3 },
        backends: backends.map(({ address }) => formatAddress(address)),
      },
    ],
  });
  const told: string[] = [];
  let beganMs = Infinity;
  balancer.on('backend:down', ({ backend }) => told.push(`down ${backend}`));
  balancer.on('backend:up', ({ backend }) => told.push(`up ${backend}`));
  balancer.on('backend:slowStart', ({ backend, forMs }) => {
    told.push(`slowStart ${backend} ${forMs}`);
    beganMs = performance.now();
  });
  balancer.on('backend:slowStartEnded', ({ backend }) => told.push(`slowStartEnded ${backend}`));
  t.teardown(() => balancer.stop());
  await balancer.start();
  keepBusy(t, addressOf(balancer).port);

  const [first] = backends;
  const name = first === undefined ? '' : formatAddress(first.address);
  await until('all three are busy', () => view(balancer).every(each => each.sessions > SESSIONS / 4));
  await until('and checked', () => view(balancer).every(each => each.health === 'up'));
  t.same(told, [], 'nobody starts slowly when lb4 starts');
  t.same(new Set(view(balancer).map(({ share }) => share)), new Set([1]));

  await first?.close();
  await until('it is down, and the others have all', () => {
    const [lost, ...others] = view(balancer);
    return told.length > 0 && lost?.sessions === 0 && others.every(each => each.sessions > SESSIONS / 3);
  });

  /** Beyond its ramp's line, in parts of what the others hold on average; the highest so far. */
  let beyond = -Infinity;
  let samples = 0;
  const shares: number[] = [];
  const watch = setInterval(() => {
    const [recovering, ...others] = view(balancer);
    if (recovering === undefined || beganMs === Infinity) return;
    const ramp = Math.min(0.1 + (0.9 * (performance.now() - beganMs)) / SLOW_START_MS, 1);
    const mean = others.reduce((sum, { sessions }) => sum + sessions, 0) / others.length;
    beyond = Math.max(beyond, recovering.sessions - ramp * mean);
    shares.push(recovering.share);
    samples += 1;
  }, 2);
  t.teardown(() => clearInterval(watch));
  await startBackend(t, scripts.echo, first?.address);
  await until('it starts slowly', () => beganMs < Infinity);
  await until('it has its whole share', () => told.at(-1)?.startsWith('slowStartEnded') === true);
  const tookMs = performance.now() - beganMs;
  await until('it holds as much as the others', () => {
    const [recovered, ...others] = view(balancer);
    return others.every(each => Math.abs(each.sessions - (recovered?.sessions ?? 0)) <= 2);
  });
  clearInterval(watch);

  const workers = Math.max(balancer.snapshot().workers.length, 1);
  t.comment(`${samples} samples, ${workers} workers: at most ${beyond.toFixed(1)} sessions beyond the line`);
  // The session that it just got, and one for each worker that picks in the same instant or has a count change
  // between two that the sample reads.
  t.ok(beyond <= 1 + workers, `${beyond} beyond its ramp`);
  t.ok(samples > 100);
  t.ok(tookMs > SLOW_START_MS - 20 && tookMs < SLOW_START_MS + 500, `${tookMs} ms`);
  t.ok((shares[0] ?? 1) < 0.2, 'it begins with little');
  t.equal(view(balancer)[0]?.share, 1);
  t.same(
    shares,
    shares.toSorted((a, b) => a - b),
    'it is given ever more',
  );
  t.same(told, [
    `down ${name}`,
    `up ${name}`,
    `slowStart ${name} ${SLOW_START_MS}`,
    `slowStartEnded ${name}`,
  ]);
});
