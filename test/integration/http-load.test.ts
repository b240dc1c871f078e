/**
 * ab and hey through a real lb4 process over three real HTTP backends: no request fails, and the backends get
 * what the strategy says. ab opens a connection per request, hey keeps its own alive.
 */
import t, { type Test } from 'tap';
import { FULL } from '../harness/full-load.ts';
import { startHttpBackends } from '../harness/http-backend.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { runProgram, skipWithout } from '../harness/programs.ts';

const REQUESTS = FULL ? 10_000 : 1_000;
const CLIENTS = 100;

/** What each strategy promises of some `REQUESTS` connections from one address, over three backends. */
const PROMISES: Record<string, (t: Test, connections: readonly number[]) => void> = {
  // Two turns more only where a worker was off its core for 50 ms with the turns in its hands (turn-rings.ts).
  roundrobin: (t, connections) =>
    t.ok(
      Math.max(...connections) - Math.min(...connections) <= 2,
      `one after the other: ${connections.join()}`,
    ),
  // It evens out live sessions, not rates: with backends of one speed the totals come out nearly even.
  leastconn: (t, connections) =>
    t.ok(
      share(connections).every(part => part > 0.25 && part < 0.42),
      'about even',
    ),
  p2c: (t, connections) =>
    t.ok(
      share(connections).every(part => part > 0.25 && part < 0.42),
      'about even',
    ),
  ewma: (t, connections) =>
    t.ok(
      share(connections).every(part => part > 0.1),
      'everyone takes part',
    ),
  // One standard deviation of a share of 1/3 is sqrt(2/9 / REQUESTS); five of them happen once in 1.7 million.
  random: (t, connections) => {
    const most = 5 * Math.sqrt(2 / 9 / REQUESTS);
    t.ok(
      share(connections).every(part => Math.abs(part - 1 / 3) < most),
      'even but for chance',
    );
  },
  iphash: (t, connections) =>
    t.equal(connections.filter(count => count > 0).length, 1, 'one client, one backend'),
  first: (t, connections) => t.same(connections.slice(1), [0, 0], 'the first takes all'),
};

function share(connections: readonly number[]): number[] {
  const total = sum(connections);
  return connections.map(count => count / total);
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

t.setTimeout(240_000);

async function start(t: Test, strategy: string) {
  const backends = await startHttpBackends(t, ['a', 'b', 'c']);
  const args = ['--backends', backends.addresses.join(','), '--strategy', strategy, '--health', 'off'];
  return { backends, lb4: await startLb4(t, args) };
}

for (const [strategy, promise] of Object.entries(PROMISES)) {
  void t.test(
    `ab and hey through ${strategy}: ${REQUESTS} connections, ${REQUESTS} requests, none fails`,
    { skip: skipWithout('ab', 'hey') },
    async t => {
      const { backends, lb4 } = await start(t, strategy);
      const load = ['-n', `${REQUESTS}`, '-c', `${CLIENTS}`, `http://${lb4.address}/`];
      const ab = await runProgram('ab', ['-q', ...load]);
      t.match(ab.stdout, new RegExp(`Complete requests:\\s+${REQUESTS}\n`));
      t.match(ab.stdout, /Failed requests:\s+0\n/);
      t.notMatch(ab.stdout, /Non-2xx|Write errors:\s+[1-9]/);

      const hey = await runProgram('hey', load);
      t.match(hey.stdout, new RegExp(`\\[200\\]\\s+${REQUESTS} responses`));
      t.notMatch(hey.stdout, /Error distribution/);
      t.equal(await lb4.stop(), 0);
      const { requests, connections } = await backends.counts();
      // When ab ends, up to `CLIENTS` connections have come on which it asks nothing, or does not wait for the answer;
      // each takes a turn like the others.
      const asked = sum(requests);
      t.ok(asked >= 2 * REQUESTS && asked <= 2 * REQUESTS + CLIENTS, `${asked} requests`);
      t.ok(sum(connections) >= REQUESTS && sum(connections) <= REQUESTS + 2 * CLIENTS);
      promise(t, connections);
    },
  );
}
