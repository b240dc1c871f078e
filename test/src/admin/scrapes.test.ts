/** Many scrapes at once, and large ones: what they cost, and who waits for whom. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { portOf, startAdmin } from '../../harness/admin.ts';
import {
  backendView,
  countersOf,
  FakeBalancer,
  snapshotWith,
  upstreamView,
} from '../../harness/fake-balancer.ts';
import { Scraped } from '../../harness/scraped.ts';
import { until } from '../../harness/until.ts';

const BACKENDS = 1_000;
const snapshot = snapshotWith({
  upstreams: [
    upstreamView(
      'app',
      Array.from({ length: BACKENDS }, (_, i) => backendView(`10.0.${i >> 8}.${i & 255}:80`)),
    ),
  ],
});

/** Counts how often its figures are taken. */
class Large extends FakeBalancer {
  taken = 0;

  override snapshot() {
    this.taken += 1;
    return snapshot;
  }

  override counters() {
    return countersOf(snapshot);
  }
}

void t.test('between two pieces of a large scrape everything else has its turn', async t => {
  const { ask } = await startAdmin(t, { port: portOf(new Large()) });
  const counting = new AbortController();
  let turns = 0;
  const counted = (async () => {
    for (; !counting.signal.aborted; turns++) await nextTurn();
  })();
  const { text } = await ask('GET', '/metrics');
  counting.abort();
  await counted;
  t.ok(text.length > 3_000_000);
  t.ok(turns > text.length / (128 * 1024), `${turns} turns of others for ${text.length} bytes`);
  const { samples } = new Scraped(text);
  t.equal(samples.filter(({ name }) => name === 'lb4_backend_weight').length, BACKENDS);
});

void t.test('many at once share renderings, and each gets all of it', async t => {
  const balancer = new Large();
  const { ask } = await startAdmin(t, { port: portOf(balancer) });
  await ask('GET', '/healthz');
  const answers = await Promise.all(Array.from({ length: 40 }, () => ask('GET', '/metrics')));
  t.ok(balancer.taken < 10, `${balancer.taken} renderings`);
  for (const { status, text } of answers) t.same([status, text.endsWith('\n')], [200, true]);
  t.equal(new Set(answers.map(({ text }) => text.length)).size, 1);
  const before = balancer.taken;
  await Promise.all([ask('GET', '/metrics?exclude=lb4_backend_*'), ask('GET', '/metrics?upstream=app')]);
  t.equal(balancer.taken, before + 2, 'what is asked for differently is rendered differently');
  t.match(await ask('GET', '/metrics?upstream=none'), { status: 404 });
  t.match(await ask('GET', '/metrics'), { status: 200 }, 'a refusal ends no other one');
});

void t.test('a client that takes nothing, or leaves, holds up no other one', async t => {
  const { ask, address } = await startAdmin(t, { port: portOf(new Large()), tcp: true });
  if (address.kind !== 'tcp') throw new Error('a TCP address was asked for');
  const { host, port } = address;
  const request = `GET /metrics HTTP/1.1\r\nHost: ${host}:${port}\r\n\r\n`;
  const silent = connect({ host, port });
  t.teardown(() => silent.destroy());
  silent.pause().write(request);
  const leaving = connect({ host, port });
  leaving.write(request);
  await once(leaving, 'readable');
  leaving.destroy();
  t.match(await ask('GET', '/metrics'), { status: 200 });
  let got = 0;
  silent.on('data', (chunk: Buffer) => (got += chunk.length)).resume();
  await until('the silent one gets its own when it reads', () => got > 3_000_000);
});
