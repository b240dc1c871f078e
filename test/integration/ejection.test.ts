/**
 * Ejection with real traffic: failures counted over all workers, exactly one session per trial, what ends an ejection.
 * Log, event and snapshot agree on every change.
 */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import type { EventMap } from '../../src/model/events.ts';
import { createLoadBalancer, type SessionRecord } from '../../src/index.ts';
import { logEvents } from '../../src/observe/log-events.ts';
import type { LogFields } from '../../src/observe/log.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { startFaultyBackend } from '../harness/faulty-backends.ts';
import { addressOf } from '../harness/listening-address.ts';
import { Peer } from '../harness/peer.ts';
import { UNTIMED } from '../harness/log-lines.ts';
import { until } from '../harness/until.ts';

type UpstreamInput = Partial<ConfigInput['upstreams'][number]>;

const WORKERS = { ...DATA_PLANE, workers: 2 } as const;
const PLACES = { 'two workers': WORKERS, 'own thread': { engine: 'node', workers: 0 } } as const;
type Place = keyof typeof PLACES;

const hasKoffi = loadLibc().ok;
const skipWorkers = hasKoffi ? false : 'workers need koffi on Linux';
const skipBlackHoles = hasKoffi ? false : 'black holes need koffi on Linux';

const REQUEST = 'GET / HTTP/1.1\r\n\r\n';
const BASE_MS = 400;
const FAILURES = 5;
/** Clients of `choosyStrategy`. */
const WANTS_IT = '127.0.0.3';
const WANTS_IT_AND_DIES = '127.0.0.2';

/** What ejection does to a backend, in the snapshot and in the log. */
const CHANGES = {
  'backend:ejected': { state: 'ejected', line: 'backendEjected' },
  'backend:trial': { state: 'trial', line: 'backendTrial' },
  'backend:restored': { state: 'up', line: 'backendRestored' },
} as const;
type ChangeName = keyof typeof CHANGES;
const CHANGE_NAMES = ['backend:ejected', 'backend:trial', 'backend:restored'] as const satisfies ChangeName[];

interface Change {
  readonly name: ChangeName;
  readonly event: EventMap[ChangeName];
  /** What `snapshot()` says at that moment. */
  readonly state: string | undefined;
  /** How many connects had failed, and what `count` said, by then. */
  readonly failed: number;
  readonly count: number;
}

/** @param count of what is compared from change to change */
async function start(
  t: Test,
  place: Place,
  backends: UpstreamInput['backends'] & object,
  { count = () => 0, ...upstream }: UpstreamInput & { count?: () => number },
) {
  const balancer = createLoadBalancer({
    ...PLACES[place],
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [{ name: 'app', strategy: 'roundrobin', health: 'off', ...upstream, backends }],
  });
  const changes: Change[] = [];
  const failures: EventMap['backend:connectFailed'][] = [];
  const records: SessionRecord[] = [];
  const lines: { readonly line: string; readonly fields: LogFields | undefined }[] = [];
  const stateOf = (backend: string): string | undefined =>
    balancer.snapshot().upstreams[0]?.backends.find(each => each.backend === backend)?.state;
  balancer.on('backend:connectFailed', event => failures.push(event));
  balancer.on('session:closed', record => records.push(record));
  for (const name of CHANGE_NAMES) {
    balancer.on(name, event =>
      changes.push({ name, event, state: stateOf(event.backend), failed: failures.length, count: count() }),
    );
  }
  const write = (_level: string, line: string, _message: string | undefined, fields?: LogFields): void =>
    void lines.push({ line, fields });
  logEvents(balancer, { format: 'json', isEnabled: () => true, write, lose: () => undefined }, UNTIMED);
  t.teardown(() => balancer.stop());
  await balancer.start();
  return {
    ...{ balancer, changes, failures, records, stateOf, address: addressOf(balancer) },
    names: () => changes.map(({ name }) => name),
    /** The n-th change, once there is one. */
    change: async (n: number): Promise<Change> => {
      await until(`change ${n}`, () => changes.length >= n);
      return changes[n - 1]!;
    },
    /** Each change was one event, one line of the log and one state in the snapshot. */
    agree: (): void => {
      t.same(
        changes.map(({ state }) => state),
        changes.map(({ name }) => CHANGES[name].state),
        'the snapshot agrees with each event',
      );
      const told = CHANGE_NAMES.map((name): string => CHANGES[name].line);
      t.same(
        lines.filter(({ line }) => told.includes(line)),
        changes.map(({ name, event }) => ({ line: CHANGES[name].line, fields: event })),
        'so does the log, with one line for each',
      );
    },
  };
}

type Started = Awaited<ReturnType<typeof start>>;

/** A session of one small request; true when it is answered. */
async function ask(t: Test, address: TcpAddress, from?: string): Promise<boolean> {
  const client = from === undefined ? await connectClient(t, address) : connectFrom(t, address, from);
  await client.send(REQUEST);
  await until('there is an answer, or none', () => client.receivedBytes > 0 || client.ending !== undefined);
  client.halfClose();
  await client.untilEnded();
  return client.receivedBytes > 0;
}

function connectFrom(t: Test, { host, port }: TcpAddress, localAddress: string): Peer {
  const socket = connect({ host, port, localAddress, allowHalfOpen: true, noDelay: true });
  t.teardown(() => socket.destroy());
  return new Peer(socket);
}

/** So many clients at a time, each after the other, until `isOver`; resolves to the answers. */
async function crowd(t: Test, address: TcpAddress, isOver: () => boolean, width = 8): Promise<boolean[]> {
  const answers: boolean[] = [];
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (!isOver()) answers.push(await ask(t, address));
    }),
  );
  return answers;
}

/** Until every worker has certainly heard of what has just changed: nobody meets the backend any more. */
async function settle(t: Test, { address }: Started, count: () => number): Promise<void> {
  for (let before = -1; before !== count();) {
    before = count();
    await Promise.all(Array.from({ length: 12 }, () => ask(t, address)));
  }
}

const nameOf = ({ address }: Pick<Backend, 'address'>): string => formatAddress(address);
const lost = (answers: readonly boolean[]): number => answers.filter(answer => !answer).length;

for (const place of ['two workers', ...Object.keys(OWN_THREAD)] as Place[]) {
  const skip = place === 'two workers' ? skipWorkers : false;

  void t.test(
    `${place}: a backend that refuses is ejected, tried by one session at a time, and comes back; nobody fails`,
    { skip: skip || skipBlackHoles },
    async t => {
      const bad = await startFaultyBackend(t, 'refuse');
      const others = [await startFaultyBackend(t, 'serve'), await startFaultyBackend(t, 'serve')];
      const started = await start(t, place, [bad, ...others].map(nameOf), {
        ejection: { failures: FAILURES, base: BASE_MS },
        connect: { timeout: 200 },
        count: () => bad.counters.connects,
      });
      const { changes, failures, address } = started;
      const answers: boolean[] = [];
      while (changes.length === 0) answers.push(await ask(t, address));
      t.match(changes[0], { name: 'backend:ejected', event: { backend: nameOf(bad), times: 1 } });
      t.match(changes[0]?.event, {
        reason: /^[5-7] connects in a row failed, the last: refused \(ECONNREFUSED\)$/,
      });
      // Each worker tells of its own: the last of one may come after the ejection that the other has asked for.
      await until('all failures are told', () => failures.length >= FAILURES);
      t.ok(changes[0]!.failed <= FAILURES + 2, `${changes[0]?.failed} failures`);

      // Its trial hangs now, for as long as a connect may take; clients are many meanwhile.
      await settle(t, started, () => failures.length);
      await bad.become('blackHole');
      answers.push(...(await crowd(t, address, () => changes.length >= 3)));
      t.same(started.names(), ['backend:ejected', 'backend:trial', 'backend:ejected']);
      t.match(changes[2]?.event, {
        times: 2,
        reason: 'the session that tried it failed: timeout (ETIMEDOUT)',
      });
      const [first, second] = changes.flatMap(({ event }) => ('forMs' in event ? [event.forMs] : []));
      t.ok(second! >= 2 * BASE_MS && first! < 1.2 * BASE_MS, `out for ${first} ms, then for ${second} ms`);

      await bad.become('serve');
      const before = bad.counters;
      answers.push(...(await crowd(t, address, () => bad.counters.served > before.served + 1)));
      t.match(changes.slice(3), [
        { name: 'backend:trial', count: before.connects },
        { name: 'backend:restored', event: { reason: 'the session that tried it went well' } },
      ]);
      // Until the next trial, by when all who had come to the black hole would have said so.
      t.equal(changes[3]!.failed - changes[1]!.failed, 1, 'one session tried it while it was a black hole');
      t.ok(changes[4]!.count - before.connects <= 1, 'nobody else had it before it was back');
      t.comment(`${answers.length} sessions`);
      t.equal(lost(answers), 0, 'every client was served');
      started.agree();
    },
  );

  void t.test(
    `${place}: one that accepts and closes costs its trial one session; a good answer brings it back`,
    { skip },
    async t => {
      let isWell = false;
      // Others have time to come meanwhile.
      const bad = await startBackend(t, peer => {
        if (isWell) scripts.echo(peer);
        else setTimeout(() => peer.halfClose(), 100);
      });
      const others = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
      const count = (): number => bad.peers.length;
      const started = await start(t, place, [bad, ...others].map(nameOf), {
        ejection: { failures: FAILURES, base: BASE_MS, earlyClose: '1s' },
        count,
      });
      const { changes, address } = started;
      await crowd(t, address, () => changes.length > 0, 2);
      t.match(changes[0]?.event, { reason: /^[56] sessions in a row ended within 1s without a byte$/ });
      await settle(t, started, count);
      const met = count();
      t.ok(met <= FAILURES + 3, `${met} sessions met it`);

      const answers = await crowd(t, address, () => changes.length >= 3);
      t.same(started.names(), ['backend:ejected', 'backend:trial', 'backend:ejected']);
      t.same(
        [changes[1]!.count - met, changes[2]!.count - met],
        [0, 1],
        'nobody meets it while it is out, and one session on trial',
      );
      t.equal(lost(answers), 1, `of ${answers.length} clients the one that tried it is not answered`);
      t.match(changes[2]?.event, {
        times: 2,
        reason: 'the session that tried it failed: it ended the session without a byte',
      });

      isWell = true;
      const later = await crowd(t, address, () => changes.length >= 5);
      t.equal(changes[4]!.count - met, 2, 'one session more has tried it when it is back');
      t.match(changes[4], {
        name: 'backend:restored',
        event: { reason: 'the session that tried it went well' },
      });
      t.equal(lost(later), 0);
      await crowd(t, address, () => count() > met + 3);
      started.agree();
    },
  );

  void t.test(
    `${place}: a tcp check that passes ends an ejection for failed connects at once`,
    { skip },
    async t => {
      const bad = await startFaultyBackend(t, 'refuse');
      const others = [await startFaultyBackend(t, 'serve'), await startFaultyBackend(t, 'serve')];
      const started = await start(t, place, [bad, ...others].map(nameOf), {
        ejection: { failures: FAILURES, base: '60s' },
        // Before checks took it out themselves, twenty seconds would pass.
        health: { type: 'tcp', interval: 200, fall: 100, rise: 1 },
      });
      await crowd(t, started.address, () => started.changes.length > 0, 2);
      await bad.become('serve');
      t.match(await started.change(2), {
        name: 'backend:restored',
        event: { reason: 'a health check has passed' },
      });
      await crowd(t, started.address, () => bad.counters.served > 1, 2);
      t.equal(started.changes.length, 2, 'and it stays');
      started.agree();
    },
  );

  void t.test(`${place}: but not one for sessions that end at once`, { skip }, async t => {
    const bad = await startBackend(t, peer => peer.halfClose());
    const others = [await startBackend(t, scripts.echo), await startBackend(t, scripts.echo)];
    const started = await start(t, place, [bad, ...others].map(nameOf), {
      ejection: { failures: FAILURES, base: BASE_MS, earlyClose: '1s' },
      health: { type: 'tcp', interval: 20, rise: 1 },
      count: () => bad.peers.length,
    });
    const { changes } = started;
    await crowd(t, started.address, () => changes.length > 0, 2);
    await started.change(2);
    t.same(started.names(), ['backend:ejected', 'backend:trial']);
    t.ok(changes[1]!.count - changes[0]!.count >= 3, 'although checks have passed meanwhile');
    started.agree();
  });
}

void t.test('failures are counted over all workers together', { skip: skipWorkers }, async t => {
  // So many that no worker has all of them.
  const failures = 40;
  const bad = await startFaultyBackend(t, 'refuse');
  const others = [await startFaultyBackend(t, 'serve'), await startFaultyBackend(t, 'serve')];
  const started = await start(t, 'two workers', [bad, ...others].map(nameOf), {
    ejection: { failures, base: '60s' },
    connect: { retryBudget: { percent: 100 } },
  });
  const { changes, records } = started;
  const answers = await crowd(t, started.address, () => changes.length > 0, 2);
  await until('all are reported', () => records.length === answers.length);
  const failed = [1, 2].map(
    worker => records.filter(({ id, attempts }) => id.startsWith(`${worker}-`) && attempts === 2).length,
  );
  t.comment(`ejected after ${failed.join(' and ')} failures in the two workers`);
  t.ok(
    failed.every(count => count > 0 && count < failures),
    'no worker alone has seen enough',
  );
  t.equal(failed[0]! + failed[1]!, started.failures.length);
  t.ok(started.failures.length >= failures && started.failures.length <= failures + 5);
  t.equal(lost(answers), 0);
  started.agree();
});

for (const [how, dying] of [
  ['in order', 'process.exit(7)'],
  ['without a last word', "process.removeAllListeners('exit'); process.exit(7)"],
] as const) {
  void t.test(`the trial of a worker that dies ${how} is on offer again`, { skip: skipWorkers }, async t => {
    const bad = await startFaultyBackend(t, 'refuse');
    const others = [await startFaultyBackend(t, 'serve'), await startFaultyBackend(t, 'serve')];
    const started = await start(t, 'two workers', [bad, ...others].map(nameOf), {
      strategy: choosyStrategy(t, nameOf(bad), dying),
      // A trial is not decided by the connect alone then, but after so long.
      ejection: { failures: FAILURES, base: BASE_MS, earlyClose: '30s' },
    });
    const { balancer, changes, address } = started;
    const exits: number[] = [];
    balancer.on('worker:exited', ({ worker }) => exits.push(worker));
    while (changes.length === 0) await ask(t, address, WANTS_IT);
    await bad.become('acceptNeverRead');
    await started.change(2);

    // Workers hear a little later than this thread that it may be tried.
    const isTried = (): boolean => bad.counters.connects > 0;
    while (!isTried()) {
      const client = connectFrom(t, address, WANTS_IT_AND_DIES);
      await client.send(REQUEST);
      await until('it is tried, or another serves', () => isTried() || client.receivedBytes > 0);
    }
    for (let i = 0; i < 4; i++)
      t.ok(await ask(t, address, WANTS_IT), 'others are served elsewhere meanwhile');
    t.same([bad.counters.connects, exits.length], [1, 0], 'by that session alone');
    await until('its worker is dead', () => exits.length === 1);
    t.same(started.names(), ['backend:ejected', 'backend:trial'], 'which decides nothing');

    await bad.become('serve');
    t.ok(await ask(t, address, WANTS_IT));
    t.equal(bad.counters.served, 1, 'another session tries it');
    t.match(await started.change(3), { name: 'backend:restored' });
    started.agree();
  });
}

/** Gives the bad backend to those that want it, if it is to be had; the worker dies soon after some of them. */
function choosyStrategy(t: Test, bad: string, dying: string): string {
  const path = join(t.testdir({}), 'choosy.mjs');
  writeFileSync(
    path,
    `export function createStrategy(candidates) {
       return { pick({ clientAddress, skip }) {
         const free = candidates.filter(candidate => !skip?.(candidate));
         const bad = free.find(({ id }) => id === '${bad}');
         if (bad === undefined || clientAddress === '127.0.0.1') return free.find(each => each !== bad);
         if (clientAddress === '${WANTS_IT_AND_DIES}') setTimeout(() => { ${dying}; }, 300);
         return bad;
       } };
     }`,
  );
  return path;
}
