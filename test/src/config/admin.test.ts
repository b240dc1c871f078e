/** The admin API in the configuration: what other machines can reach needs a token. */
import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';

const configured = (admin: unknown) =>
  parseConfig({
    listeners: [{ name: 'web', bind: ':80', upstream: 'app' }],
    upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
    admin,
  });

void t.test('by default there is the unix socket, and nothing else', async t => {
  const parsed = configured(undefined);
  t.same(parsed.ok && parsed.config.admin, { socket: 'auto', readyNeeds: 'listeners' });
  t.equal(parsed.ok && parsed.config.name, 'default');
});

void t.test('an address of this machine alone needs no token', async t => {
  for (const bind of [
    '127.0.0.1:1',
    '127.9.9.9:1',
    '[::1]:1',
    'localhost:1',
    '[::ffff:127.0.0.1]:1',
    'unix:/a',
  ])
    t.ok(configured({ bind }).ok, bind);
});

void t.test('any other address does', async t => {
  for (const bind of [
    '0.0.0.0:1',
    ':1',
    '[::]:1',
    '10.0.0.1:1',
    'example.com:1',
    '[fe80::1]:1',
    '127.example:1',
  ]) {
    const parsed = configured({ bind });
    t.match(parsed, { ok: false, issues: [{ path: ['admin', 'bind'] }] }, bind);
    t.ok(configured({ bind, tokenFile: 'token' }).ok, bind);
  }
});
