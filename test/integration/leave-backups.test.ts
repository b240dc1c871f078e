/** `leaveBackups`: what becomes of the sessions on backups when another backend is well again. */
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput, type SessionRecord } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { served } from '../harness/served-client.ts';
import { until } from '../harness/until.ts';

const PLACES = {
  'two workers': { ...DATA_PLANE, workers: loadLibc().ok ? 2 : 0 },
  ...OWN_THREAD,
} as const;
const CLIENTS = 12;

for (const [place, dataPlane] of Object.entries(PLACES)) {
  /** Sessions on the backup, while the primary is down; `recover` brings that back. */
  const start = async (
    t: Test,
    upstream: Partial<ConfigInput['upstreams'][number]>,
    maxSessions?: number,
  ) => {
    const primary = await startBackend(t, scripts.echo);
    const backup = await startBackend(t, scripts.echo);
    const nameOf = ({ address }: Backend): string => formatAddress(address);
    const balancer = createLoadBalancer({
      ...dataPlane,
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [
        {
          name: 'app',
          backends: [
            { address: nameOf(primary), maxSessions },
            { address: nameOf(backup), backup: true },
          ],
          health: 'off',
          ...upstream,
        },
      ],
    });
    t.teardown(() => balancer.stop());
    const records: SessionRecord[] = [];
    balancer.on('session:closed', record => records.push(record));
    await balancer.start();
    const sessions = (): number[] =>
      (balancer.snapshot().upstreams[0]?.backends ?? []).map(({ sessions }) => sessions);
    balancer.setBackendState('app', nameOf(primary), 'drain');
    await balancer.settled();
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => served(t, balancer)));
    t.same(sessions(), [0, CLIENTS], 'all are on the backup');
    const recover = async (): Promise<void> => {
      balancer.setBackendState('app', nameOf(primary), 'ready');
      await until('it takes sessions', () => balancer.snapshot().upstreams[0]?.mode === 'normal');
      await balancer.settled();
    };
    return { balancer, clients, records, sessions, recover };
  };

  void t.test(`over ${place}`, t => {
    void t.test('keep: they go on', async t => {
      const { balancer, clients, records, sessions, recover } = await start(t, {});
      await recover();
      for (const client of clients) {
        await client.send('y');
        await client.untilText('xy');
      }
      t.same(records, []);
      await served(t, balancer);
      t.same(sessions(), [1, CLIENTS], 'new ones go to the primary');
    });

    void t.test('reset: they are reset, and their clients find the primary', async t => {
      const { balancer, clients, records, sessions, recover } = await start(t, { leaveBackups: 'reset' });
      await recover();
      t.same(new Set(await Promise.all(clients.map(client => client.untilEnded()))), new Set(['reset']));
      await until('all are recorded', () => records.length === CLIENTS);
      for (const { by, phase, reason } of records)
        t.same({ by, phase, reason }, { by: 'balancer', phase: 'relay', reason: 'primaryBack' });
      await served(t, balancer);
      t.same(sessions(), [1, 0]);
    });

    void t.test('reset: what full primaries have no room for stays on backups', async t => {
      const settings = { leaveBackups: 'reset', backups: 'whenFull' } as const;
      const { balancer, clients, sessions, recover } = await start(t, settings, 1);
      await recover();
      await Promise.all(clients.map(client => client.untilEnded()));
      const [first, second] = [await served(t, balancer), await served(t, balancer)];
      t.same(sessions(), [1, 1]);
      balancer.setBackendWeight('app', balancer.snapshot().upstreams[0]?.backends[0]?.backend ?? '', 2);
      await balancer.settled();
      for (const client of [first, second]) {
        await client.send('y');
        await client.untilText('xy');
      }
      t.same(sessions(), [1, 1]);
    });
    t.end();
  });
}
