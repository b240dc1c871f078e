/** A balancer drains while clients come as fast as they can: each of them is served or refused, and none is reset. */
import t from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer } from '../../src/index.ts';
import { FULL } from '../harness/full-load.ts';
import { HastyClients, type Outcomes } from '../harness/hasty-clients.ts';
import { addressOf } from '../harness/listening-address.ts';
import { pause } from '../harness/until.ts';

const skip = loadLibc().ok ? false : 'without koffi a client of the last moment may be reset';
const STOPS = FULL ? 12 : 2;
const WORKERS = FULL ? [0, 1, 2, 4] : [0, 2];
const LOAD_MS = 150;
const timeout = 200_000;
t.setTimeout(timeout);

for (const engine of ['epoll', 'node'] as const) {
  for (const workers of WORKERS) {
    if (engine === 'epoll' && workers === 0) continue;
    void t.test(`${engine} engine, ${workers} workers: ${STOPS} stops`, { skip, timeout }, async t => {
      const clients = await HastyClients.start(t);
      const left: Promise<Outcomes>[] = [];
      for (let stop = 0; stop < STOPS; stop++) {
        const balancer = createLoadBalancer({
          engine,
          workers,
          listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
          upstreams: [{ name: 'app', health: 'off', backends: [`127.0.0.1:${clients.backend}`] }],
        });
        t.teardown(() => balancer.stop());
        await balancer.start();
        const leave = clients.come(addressOf(balancer).port);
        await pause(LOAD_MS);
        await balancer.drain();
        left.push(leave());
      }
      const outcomes = await Promise.all(left);
      t.ok(
        outcomes.every(({ served = 0 }) => served > 0),
        'each of them had clients',
      );
      const kinds = new Set(outcomes.flatMap(each => Object.keys(each)));
      t.strictSame([...kinds].sort(), ['ECONNREFUSED', 'served'], JSON.stringify(outcomes));
    });
  }
}
