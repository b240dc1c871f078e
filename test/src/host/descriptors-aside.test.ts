import t from 'tap';
import { loadLibc } from '../../../src/linux/libc.ts';
import { dataPlaneOutlook, type HostConfig } from '../../../src/host/build-data-plane.ts';
import { parseAddress } from '../../../src/support/address.ts';
import { adminClients, processLimit } from '../../../src/support/process-limits.ts';

function sessionsWith(admin: HostConfig['admin']): number {
  const none = { limits: {}, listeners: [], upstreams: [], workerStallTimeout: 0 };
  return dataPlaneOutlook({ ...none, engine: 'node', workers: 0, admin }).limits.maxSessions;
}

void t.test('each address of the admin API has places of its own, fewer with few descriptors', async t => {
  const limits = [undefined, Infinity, 1_048_576, 4_096, 1_024, 192, 80, 1];
  t.same(
    limits.map(limit => adminClients(limit)),
    [adminClients(processLimit('descriptors')), 128, 128, 128, 32, 6, 4, 4],
  );
});

void t.test('descriptors of the admin API’s clients are set aside from those of sessions', async t => {
  const bind = parseAddress('127.0.0.1:9000');
  if (!bind.ok) throw new Error('an address');
  const limit = processLimit('descriptors') ?? Infinity;
  if (limit === Infinity || limit < 1_024) return;
  const [off, one, two] = [
    sessionsWith({ socket: 'off' }),
    sessionsWith({ socket: 'auto' }),
    sessionsWith({ socket: 'auto', bind: bind.address }),
  ];
  // Nine tenths of what is free are for sessions, two descriptors each.
  const least = Math.floor((adminClients() / 2) * 0.9) - 1;
  t.ok(off - one >= least, `${off} without, ${one} with the unix socket`);
  t.ok(one - two >= least, `${two} with another address`);
});

void t.test(
  'a configuration with TLS sets descriptors aside for workers of the other engine',
  { skip: loadLibc().ok ? false : 'workers need the C library' },
  async t => {
    const bind = parseAddress('127.0.0.1:9000');
    if (!bind.ok) throw new Error('an address');
    const none = { limits: {}, upstreams: [], workerStallTimeout: 0, admin: { socket: 'off' } } as const;
    const outlook = (engine: 'epoll' | 'node', tls: unknown) =>
      dataPlaneOutlook({
        ...none,
        ...{ engine, workers: 2 },
        listeners: [{ bind: [bind.address], limits: {}, ...(tls === undefined ? {} : { tls }) }],
      });
    t.equal(outlook('node', {}).workersForTls, 0);
    t.equal(outlook('epoll', undefined).workersForTls, 0);
    t.equal(outlook('epoll', {}).workersForTls, 2);
    const sessions = (tls: unknown): number => outlook('epoll', tls).limits.maxSessions;
    if (sessions(undefined) === Infinity) return;
    const waiting = outlook('epoll', undefined).limits.waiting ?? 0;
    // Two threads more, and as many clients again may wait at paused listeners.
    t.ok(sessions(undefined) - sessions({}) >= Math.floor((waiting + 2 * 8) / 2) - 1);
  },
);
