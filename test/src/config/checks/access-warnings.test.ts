/** Keys of `access` behind one that has every client are named, and networks that are wider than they look. */
import t from 'tap';
import { accessWarnings } from '../../../../src/config/checks/access-warnings.ts';
import { formatPath } from '../../../../src/config/report/issue.ts';
import { parsedConfig } from '../../../../src/composition/parsed.ts';
import type { ConfigInput } from '../../../../src/config/schema/schema.ts';

type Access = ConfigInput['listeners'][number]['access'];

function warned(access: Access, from: readonly string[] = []): string[] {
  const config = parsedConfig({
    listeners: [{ name: 'web', bind: ':80', upstream: 'app', access, acceptProxy: { from: [...from] } }],
    upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
  });
  return accessWarnings(config).map(({ path, message }) => `${formatPath(path)}: ${message}`);
}

void t.test('what stands behind all decides nothing, and is named', t => {
  const words = 'decides nothing: what stands before it has every client';
  t.same(warned({ deny: ['all'], allow: ['10.0.0.0/8'] }), [
    `listeners[0].access.allow: this allow ${words}`,
  ]);
  t.same(warned([{ allow: 'unix' }, { deny: 'drop' }, { deny: ['::1'] }]), [
    `listeners[0].access[2].deny: this deny ${words}`,
  ]);
  t.end();
});

void t.test('a list that ends with all is as it should be', t => {
  for (const access of [
    { allow: ['10.0.0.0/8'], deny: ['all'] },
    { deny: 'reset' },
    { allow: ['::/0'], deny: '::1' },
  ] as const)
    t.same(warned(access), []);
  t.end();
});

void t.test('a network with bits behind its length is named, and what it stands for', t => {
  t.same(warned({ allow: ['10.0.0.1/8', 'all'], deny: 'reset' }, ['192.0.2.0/24', 'fd00::1/64']), [
    'listeners[0].access.deny: this deny decides nothing: what stands before it has every client',
    'listeners[0].access.allow[0]: 10.0.0.1/8 is all of 10.0.0.0/8: the bits behind its length do not count',
    'listeners[0].acceptProxy.from[1]: fd00::1/64 is all of fd00::/64: the bits behind its length do not count',
  ]);
  const whole = ['10.0.0.0/8', '10.0.0.1', '10.0.0.1/32', '::1', '::/0', '::ffff:10.0.0.0/104', 'unix'];
  t.same(warned({ allow: whole }, ['10.0.0.1', '0.0.0.0/0']), []);
  t.end();
});
