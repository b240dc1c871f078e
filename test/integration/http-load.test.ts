/**
 * ab and hey through a real lb4 process over three real HTTP backends: no request fails, and the backends get
 * what the strategy says. ab opens a connection per request, hey keeps its own alive.
 */
import t, { type Test } from 'tap';
import { FULL } from '../harness/full-load.ts';
import { startHttpBackends } from '../harness/http-backend.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { runProgram, skipWithout } from '../harness/programs.ts';

const REQUESTS = FULL ? 20_000 : 1_000;
const CLIENTS = 100;

/** What each strategy promises of `REQUESTS` connections from one address, over three backends. */
const PROMISES: Record<string, (t: Test, served: readonly number[]) => void> = {
  // Two turns more only where a worker was off its core for 50 ms with the turns in its hands (turn-rings.ts).
  roundrobin: (t, served) =>
    t.ok(Math.max(...served) - Math.min(...served) <= 2, `one after the other: ${served.join()}`),
  // It evens out live sessions, not rates: with backends of one speed the totals come out nearly even.
  leastconn: (t, served) =>
    t.ok(
      share(served).every(part => part > 0.25 && part < 0.42),
      'about even',
    ),
  p2c: (t, served) =>
    t.ok(
      share(served).every(part => part > 0.25 && part < 0.42),
      'about even',
    ),
  ewma: (t, served) =>
    t.ok(
      share(served).every(part => part > 0.1),
      'everyone takes part',
    ),
  // One standard deviation of a share of 1/3 is sqrt(2/9 / REQUESTS); five of them happen once in 1.7 million.
  random: (t, served) => {
    const most = 5 * Math.sqrt(2 / 9 / REQUESTS);
    t.ok(
      share(served).every(part => Math.abs(part - 1 / 3) < most),
      'even but for chance',
    );
  },
  iphash: (t, served) => t.equal(Math.max(...served), REQUESTS, 'one client, one backend'),
  first: (t, served) => t.equal(served[0], REQUESTS, 'the first takes all'),
};

function share(served: readonly number[]): number[] {
  const total = served.reduce((sum, count) => sum + count, 0);
  return served.map(count => count / total);
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
      promise(t, await backends.served());

      const hey = await runProgram('hey', load);
      t.match(hey.stdout, new RegExp(`\\[200\\]\\s+${REQUESTS} responses`));
      t.notMatch(hey.stdout, /Error distribution/);
      const total = (await backends.served()).reduce((sum, count) => sum + count, 0);
      t.equal(total, 2 * REQUESTS);
      t.equal(await lb4.stop(), 0);
    },
  );
}
