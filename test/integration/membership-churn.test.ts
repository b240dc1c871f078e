/**
 * Backends that come and go without end, under load: nothing fails, and nothing is left of those that have gone.
 * The balancer has room for 512 things at a time, so the test ends when a slot in three is not given back.
 */
import t from 'tap';
import { parseConfig } from '../../src/config/source/parse.ts';
import { LoadBalancer } from '../../src/load-balancer.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { FULL } from '../harness/full-load.ts';
import { startHttpBackends } from '../harness/http-backend.ts';
import { addressOf } from '../harness/listening-address.ts';
import { keepLoading } from '../harness/paced-sessions.ts';
import { until } from '../harness/until.ts';

const SLOTS = 512;
/** Fifty times as many as there are slots; 100,000 were played on each engine once, with the same end. */
const ADDRESSES = FULL ? 25_600 : 1_500;
/** Members at a time, besides the one that stays. */
const MEMBERS = 4;
const LOAD_MS = 2_000;
const OPTIONS = { timeout: FULL ? 900_000 : 90_000 };

const placesUnderTest = {
  workers: DATA_PLANE,
  ...OWN_THREAD,
};

for (const [place, dataPlane] of Object.entries(placesUnderTest)) {
  void t.test(
    `${ADDRESSES} addresses come and go at 200 sessions a second, in ${place}`,
    OPTIONS,
    async t => {
      // Every address of 127.0.0.0/8 leads to it.
      const [own = ''] = (await startHttpBackends(t, ['only'], '0.0.0.0')).addresses;
      const port = Number(own.split(':')[1]);
      const parsed = parseConfig({
        ...dataPlane,
        listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
        upstreams: [{ name: 'app', strategy: 'random', health: 'off', backends: [own] }],
      });
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
      const balancer = new LoadBalancer(parsed.config, { slots: SLOTS });
      t.teardown(() => balancer.stop());
      await balancer.start();
      const load = { ratePerSecond: 200, durationMs: LOAD_MS, answerWithinMs: 10_000 };
      const endLoad = keepLoading(t, { address: addressOf(balancer), ...load });
      for (let i = 0; i < ADDRESSES + MEMBERS; i++) {
        if (i < ADDRESSES) balancer.addBackend('app', addressNumber(i, port));
        if (i >= MEMBERS) balancer.removeBackend('app', addressNumber(i - MEMBERS, port));
        // Some hundreds a second: workers have to apply each.
        await new Promise(resolve => setTimeout(resolve, 1));
      }
      await endLoad();
      await until('its sessions have ended', () => balancer.snapshot().sessions === 0);
      t.match(balancer.snapshot().upstreams, [{ backends: [{ sessions: 0, state: 'up' }] }]);
      t.equal(balancer.snapshot().upstreams[0]?.backends.length, 1, 'only the one that stays is shown');
    },
  );
}

/** 127.1.0.0, 127.1.0.1 and so on. */
function addressNumber(number: number, port: number): string {
  return `127.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}:${port}`;
}
