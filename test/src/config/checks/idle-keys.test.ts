/** Keys that another key leaves nothing to decide are named; one that decides something is not. */
import t from 'tap';
import { parsedConfig } from '../../../../src/composition/parsed.ts';
import { idleKeys } from '../../../../src/config/checks/idle-keys.ts';
import { formatPath } from '../../../../src/config/report/issue.ts';
import type { ConfigInput } from '../../../../src/config/schema/schema.ts';

type ListenerInput = Partial<ConfigInput['listeners'][number]>;
type UpstreamInput = Partial<ConfigInput['upstreams'][number]>;

function idle(
  listener: ListenerInput,
  upstream: UpstreamInput = {},
  limits?: ConfigInput['limits'],
): string[] {
  const config = parsedConfig({
    ...(limits && { limits }),
    listeners: [{ name: 'web', bind: ':80', upstream: 'app', ...listener }],
    upstreams: [{ name: 'app', backends: ['10.0.0.1:80'], ...upstream }],
  });
  return idleKeys(config).map(({ path, message }) =>
    `${formatPath(path)}: ${message}`.replace('listeners[0].', '').replace('it decides nothing: ', ''),
  );
}

void t.test('a session with the bandwidth of all sessions', t => {
  const of = (bandwidth: object | string, own: object | string) =>
    idle({ limits: { bandwidth, perSession: { bandwidth: own } } });
  const words = 'all sessions together have 1MiB/s (limits.bandwidth)';
  t.same(of('1MiB/s', '10MiB/s'), [`limits.perSession.bandwidth: ${words}`]);
  t.same(of({ fromBackend: '1MiB/s' }, '1MiB/s'), [`limits.perSession.bandwidth.fromBackend: ${words}`]);
  t.same(of({ fromClient: '1MiB/s' }, { fromClient: '2MiB/s', fromBackend: '1GiB/s' }), [
    `limits.perSession.bandwidth.fromClient: ${words}`,
  ]);
  t.same(of('10MiB/s', '1MiB/s'), []);
  t.same(of({ fromClient: '1MiB/s' }, { fromBackend: '10MiB/s' }), []);
  t.end();
});

void t.test('limits of sessions behind one that is always reached first', t => {
  t.same(idle({ limits: { maxSessions: 10, perClient: { sessions: 100 }, perNetwork: { sessions: 9 } } }), [
    'limits.perClient.sessions: limits.maxSessions, which is 10, is reached first',
  ]);
  t.same(idle({ limits: { perClient: { sessions: 10 }, perNetwork: { sessions: 10 } } }), [
    'limits.perClient.sessions: limits.perNetwork.sessions, which is 10, is reached first',
  ]);
  t.same(idle({ limits: { perNetwork: { sessions: 50 } } }, {}, { maxSessions: 50 }), [
    'limits.perNetwork.sessions: limits.maxSessions, which is 50, is reached first',
  ]);
  t.same(
    idle({ limits: { maxSessions: 100, perClient: { sessions: 10 }, perNetwork: { sessions: 50 } } }),
    [],
  );
  const odd = { perClient: { sessions: 10 }, perNetwork: { sessions: 5, ipv6Prefix: 128 } };
  t.same(idle({ limits: odd }), [], 'a network that is smaller than a client may have any limit');
  t.end();
});

void t.test('keys without what they are about', t => {
  t.same(idle({ whenDenied: 'drop', dryRun: true, timeouts: { lifetimeJitter: '10%' } }), [
    'whenDenied: there is no access that denies a client',
    'dryRun: there is no access and no limit to try',
    'timeouts.lifetimeJitter: there is no lifetime to lengthen',
  ]);
  t.same(idle({}, { leaveBackups: 'reset' }), ['upstreams[0].leaveBackups: no backend is a backup']);
  const backup = { address: '10.0.0.2:80', backup: true };
  t.same(
    idle(
      {
        access: { deny: ['10.0.0.0/8'] },
        whenDenied: 'drop',
        dryRun: true,
        timeouts: { lifetime: '1h', lifetimeJitter: '10%' },
      },
      { leaveBackups: 'reset', backends: ['10.0.0.1:80', backup] },
    ),
    [],
  );
  t.same(idle({ dryRun: true, limits: { rate: '5/s' } }), []);
  t.end();
});
