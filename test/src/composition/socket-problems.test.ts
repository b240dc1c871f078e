/** What the system cannot do is reported at its key. */
import t from 'tap';

import { socketProblems } from '../../../src/composition/socket-problems.ts';
import { parsedConfig } from '../../../src/composition/parsed.ts';
import type { ConfigInput } from '../../../src/config/schema/schema.ts';
import type { System } from '../../../src/host/socket-support.ts';
import { withoutLibc } from '../../harness/real-libc.ts';

const WITHOUT: System = {
  libc: () => ({ ok: false, reason: 'koffi cannot be loaded (gone)' }),
  read: () => undefined,
};

const config = (
  listener: Partial<ConfigInput['listeners'][number]>,
  upstream: Partial<ConfigInput['upstreams'][number]> = {},
) =>
  parsedConfig({
    listeners: [{ name: 'web', bind: ':80', upstream: 'app', ...listener }],
    upstreams: [{ name: 'app', backends: ['10.0.0.1:80'], ...upstream }],
  });

void t.test('each key that needs the C library is named where it cannot be loaded', t => {
  t.same(socketProblems(config({}), WITHOUT), [], 'none by default');
  const problems = socketProblems(
    config({ sendBuffer: '64KiB', deferAccept: '3s' }, { userTimeout: '30s', dscp: 'EF' }),
    WITHOUT,
  );
  t.same(
    problems.map(({ path, message }) => `${path.join('.')}: ${message}`),
    ['listeners.0.deferAccept', 'listeners.0.sendBuffer', 'upstreams.0.userTimeout', 'upstreams.0.dscp'].map(
      at => `${at}: cannot be set here: koffi cannot be loaded (gone)`,
    ),
  );
  t.end();
});

void t.test('an interface that is not there', { skip: withoutLibc }, t => {
  t.match(socketProblems(config({ interface: 'no-such-thing' })), [
    {
      path: ['listeners', 0, 'interface'],
      message: 'cannot be set here: there is no interface no-such-thing (ENODEV)',
    },
  ]);
  t.same(socketProblems(config({}, { interface: 'no-such-thing' })), [], 'of an upstream: it may come');
  t.end();
});
