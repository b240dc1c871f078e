/**
 * Configurations at random, one after the other under load: no session fails, what is there in the end is the last one,
 * and nothing is left of those before. The balancer has room for 300 things at a time, so a slot that is not given back
 * shows.
 */
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import t from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { LoadBalancer } from '../../src/load-balancer.ts';
import { seeded } from '../../src/sim/seeded.ts';
import { connectClient } from '../harness/client.ts';
import { configAtRandom, expectedFrom, parsed, shownIn, type Place } from '../harness/configs-at-random.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { FULL } from '../harness/full-load.ts';
import { startHttpBackends } from '../harness/http-backend.ts';
import { addressOf } from '../harness/listening-address.ts';
import { keepLoading } from '../harness/paced-sessions.ts';
import { until } from '../harness/until.ts';

const CHANGES = FULL ? 600 : 40;
const SLOTS = 300;
const PER_SECOND = 300;
const LOAD_MS = 2_000;
const OPTIONS = { timeout: FULL ? 590_000 : 90_000 };

const engine = DATA_PLANE.engine ?? 'auto';
const places: readonly Place[] = [
  ...(FULL ? [1, 2] : [2]).map(workers => ({ engine, workers })),
  // Once: in the short run over any engine, in the long one over the node engine, whose thread it is.
  ...(FULL !== (engine === 'node') ? [] : [{ engine: 'node', workers: 0 } as const]),
];

for (const [index, place] of places.entries()) {
  const where = `${place.engine} engine, ${place.workers} workers`;
  void t.test(`${CHANGES} configurations at ${PER_SECOND} sessions a second, ${where}`, OPTIONS, async t => {
    // Every address of 127.0.0.0/8 leads to it.
    const [own = ''] = (await startHttpBackends(t, ['only'], '0.0.0.0')).addresses;
    const addresses = { backendPort: Number(own.split(':')[1]) };
    const random = seeded(4_711 + index);
    const first = configAtRandom(place, random, addresses);
    const balancer = new LoadBalancer(parsed(first), { slots: SLOTS });
    t.teardown(() => balancer.stop());
    await balancer.start();
    await balancer.apply(first);
    const descriptors = descriptorsOf(balancer);

    const endLoad = keepLoading(t, {
      address: addressOf(balancer),
      ratePerSecond: PER_SECOND,
      durationMs: LOAD_MS,
      answerWithinMs: 10_000,
    });
    let last = first;
    for (let i = 0; i < CHANGES; i++) {
      last = configAtRandom(place, random, addresses);
      await balancer.apply(last);
      // Sometimes one follows the other without a pause.
      if (random() < 0.5) await new Promise(resolve => setTimeout(resolve, random() * 60));
    }
    await endLoad();

    await until('its sessions have ended', () => balancer.snapshot().sessions === 0, 30_000);
    t.same(shownIn(balancer.snapshot()), expectedFrom(parsed(last)), 'the last configuration is in force');
    for (const { addresses } of balancer.snapshot().listeners) {
      for (const address of addresses) {
        const [host = '', at] = address.split(':');
        const client = await connectClient(t, { kind: 'tcp', host, port: Number(at) });
        await client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
        await until(`${address} answers`, () => client.text.endsWith('only\n'));
        client.reset();
      }
    }
    await balancer.apply(first);
    await until('every session has ended', () => balancer.snapshot().sessions === 0, 30_000);
    await until('nothing is left of the others', () => descriptorsOf(balancer) <= descriptors + 8, 30_000);
  });
}

void t.test('a worker that dies while configurations follow each other comes back with the last', async t => {
  const backends = [...(await startHttpBackends(t, ['only'])).addresses];
  const suicidal = `${t.testdir({
    'own.mjs': `export const createStrategy = all => ({
      pick: ({ clientAddress, skip }) => {
        if (clientAddress === '127.0.0.2') process.exit(7);
        return all.find(each => !skip?.(each));
      } })`,
  })}/own.mjs`;
  const config = (names: readonly string[]): ConfigInput => ({
    ...DATA_PLANE,
    workers: 2,
    listeners: names.map(name => ({ name, bind: ['127.0.0.1:0'], upstream: name })),
    upstreams: names.map(name => ({ name, health: 'off', backends, strategy: suicidal })),
  });
  const balancer = new LoadBalancer(parsed(config(['web'])));
  t.teardown(() => balancer.stop());
  await balancer.start();
  const exits: number[] = [];
  const restarts: number[] = [];
  balancer.on('worker:exited', ({ worker }) => exits.push(worker));
  balancer.on('worker:restarted', ({ worker }) => restarts.push(worker));
  for (let round = 0; round < 3; round++) {
    const { host, port } = addressOf(balancer);
    const victim = connect({ host, port, localAddress: '127.0.0.2' }).on('error', () => undefined);
    await balancer.apply(config(['web', `more-${round}`]));
    await balancer.apply(config(['web', `last-${round}`]));
    await until('it has died', () => exits.length > round);
    await until('it is back', () => restarts.length > round);
    victim.destroy();
    t.same(
      balancer.snapshot().listeners.map(({ name }) => name),
      ['web', `last-${round}`],
    );
    const [address = ''] = balancer.snapshot().listeners[1]?.addresses ?? [];
    // Both workers get some of so many.
    for (let i = 0; i < 20; i++) {
      const client = await connectClient(t, { kind: 'tcp', host, port: Number(address.split(':')[1]) });
      await client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      await until('it answers', () => client.text.endsWith('only\n'));
      client.reset();
    }
  }
});

/** Those of this process, without the connections that pools have parked. */
function descriptorsOf(balancer: LoadBalancer): number {
  const parked = balancer
    .snapshot()
    .upstreams.flatMap(({ backends }) => backends.map(({ pool }) => pool.parked))
    .reduce((sum, each) => sum + each, 0);
  return readdirSync('/proc/self/fd').length - parked;
}
