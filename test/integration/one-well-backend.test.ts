/** Clients are served as soon as, and as long as, one backend works: in an outage, after it, on and off, and by hand. */
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { startFaultyBackend } from '../harness/faulty-backends.ts';
import { runPacedSessions, tally, type SessionOutcome } from '../harness/paced-sessions.ts';
import { pause, until } from '../harness/until.ts';

const SKIP = process.platform === 'linux' ? false : 'black holes and an address for each backend take Linux';
const HEALTH = { type: 'tcp', interval: '200ms', timeout: '100ms', rise: 2, fall: 2 } as const;
const RATE_PER_SECOND = 100;

/** In threads of its own, and in the one of the test. */
const PLACES: readonly (readonly [string, Pick<ConfigInput, 'engine' | 'workers'>])[] = [
  ['workers', { ...DATA_PLANE, workers: DATA_PLANE.workers === 0 ? 0 : 2 }],
  ...Object.entries(OWN_THREAD),
];

async function start(
  t: Test,
  place: Pick<ConfigInput, 'engine' | 'workers'>,
  upstream: Omit<ConfigInput['upstreams'][number], 'name'>,
) {
  const balancer = createLoadBalancer({
    ...place,
    listeners: [{ name: 'in', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [{ name: 'app', health: HEALTH, ...upstream }],
  });
  t.teardown(() => balancer.stop());
  await balancer.start();
  const [address = ''] = balancer.snapshot().listeners[0]?.addresses ?? [];
  const where: TcpAddress = { kind: 'tcp', host: '127.0.0.1', port: Number(address.split(':').at(-1)) };
  const load = (durationMs: number, answerWithinMs = 10_000) =>
    runPacedSessions(t, { address: where, ratePerSecond: RATE_PER_SECOND, durationMs, answerWithinMs });
  return { balancer, load };
}

const failuresOf = (sessions: readonly SessionOutcome[]): string =>
  tally(sessions.flatMap(({ outcome }) => (outcome === 'ok' ? [] : [outcome])));
const modeOf = (balancer: LoadBalancer): string | undefined => balancer.snapshot().upstreams[0]?.mode;

for (const [name, place] of PLACES) {
  void t.test(
    `${name}: clients that wait for a backend which answers no SYN are served when checks find it down`,
    { skip: SKIP },
    async t => {
      const hole = await startFaultyBackend(t, 'serve', { name: 'hole' });
      const well = await startFaultyBackend(t, 'serve', { name: 'well' });
      const { load } = await start(t, place, {
        // Every client goes to the black hole first, and would wait there for a minute.
        ...{ strategy: 'first', backends: [hole, well].map(({ address }) => formatAddress(address)) },
        connect: { timeout: '60s' },
      });
      await hole.become('blackHole');
      const sessions = await load(500);
      t.equal(failuresOf(sessions), '');
      t.equal(tally(sessions.map(({ backend }) => backend)), `${sessions.length} well`);
    },
  );

  void t.test(
    `${name}: when all were down and one is back, clients are served before checks know`,
    { skip: SKIP },
    async t => {
      const backends = [];
      for (let i = 0; i < 3; i++) backends.push(await startFaultyBackend(t, 'refuse'));
      const { balancer, load } = await start(t, place, {
        backends: backends.map(({ address }) => formatAddress(address)),
        // It takes a minute until the first verdict of a check could help.
        health: { ...HEALTH, intervalDown: '60s' },
      });
      await until('all are found down', () => modeOf(balancer) === 'panic');
      const loading = load(1_500);
      await pause(500);
      await backends[2]?.become('serve');
      const isBackAt = Date.now();
      const after = (await loading).filter(({ plannedAt }) => plannedAt > isBackAt);
      t.ok(after.length > 50);
      t.equal(failuresOf(after), '', `all of ${after.length}`);
      t.equal(modeOf(balancer), 'panic', 'and checks do not know yet');
    },
  );

  void t.test(
    `${name}: one that comes and goes fails nobody while another one stays`,
    { skip: SKIP },
    async t => {
      const flapping = await startFaultyBackend(t, { flap: 150 });
      const well = await startFaultyBackend(t, 'serve');
      const { balancer, load } = await start(t, place, {
        backends: [flapping, well].map(({ address }) => formatAddress(address)),
      });
      const refused: string[] = [];
      balancer.on('session:closed', ({ phase, reason }) => {
        // A session that it served when it went is lost.
        if (phase !== 'relay') refused.push(reason);
      });
      const sessions = await load(2_000);
      t.equal(tally(refused), '');
      t.ok(sessions.filter(({ outcome }) => outcome === 'ok').length > 0.9 * sessions.length);
    },
  );

  void t.test(
    `${name}: a backup serves the very session that finds no other backend`,
    { skip: SKIP },
    async t => {
      const down = await startFaultyBackend(t, 'refuse');
      const backup = await startFaultyBackend(t, 'serve');
      const { load } = await start(t, place, {
        // Nothing ever takes the other one out.
        ...{ health: 'off', ejection: 'off' },
        backends: [formatAddress(down.address), { address: formatAddress(backup.address), backup: true }],
      });
      t.equal(failuresOf(await load(200)), '');
    },
  );

  void t.test(
    `${name}: with whenFull backups serve what the others have no room for`,
    { skip: SKIP },
    async t => {
      // Its answer takes two seconds.
      const slow = await startFaultyBackend(t, { drip: 20 }, { name: 'slow' });
      const backup = await startFaultyBackend(t, 'serve', { name: 'backup' });
      const { load } = await start(t, place, {
        backups: 'whenFull',
        backends: [
          { address: formatAddress(slow.address), maxSessions: 2 },
          { address: formatAddress(backup.address), backup: true },
        ],
      });
      const sessions = await load(300);
      t.equal(tally(sessions.map(({ backend }) => backend)), `${sessions.length - 2} backup, 2 slow`);
    },
  );

  void t.test(`${name}: when every other backend is drained the backups serve`, { skip: SKIP }, async t => {
    const primaries = [await startFaultyBackend(t, 'serve'), await startFaultyBackend(t, 'serve')];
    const backup = await startFaultyBackend(t, 'serve');
    const ids = primaries.map(({ address }) => formatAddress(address));
    const { balancer, load } = await start(t, place, {
      backends: [...ids, { address: formatAddress(backup.address), backup: true }],
    });
    const loading = load(1_000);
    await pause(300);
    for (const id of ids) balancer.setBackendState('app', id, 'drain');
    const drainedAt = Date.now();
    t.equal(failuresOf(await loading), '');
    t.equal(modeOf(balancer), 'backups');
    const { served } = backup.counters;
    t.ok(served > 30, `${served} sessions since ${Date.now() - drainedAt} ms`);
  });
}
