/** `access`: its two forms, the order of its keys, and what is wrong with others, with the place. */
import t from 'tap';
import { effectiveOf } from '../../../../src/config/report/effective.ts';
import { formatPath } from '../../../../src/config/report/issue.ts';
import { parseConfig } from '../../../../src/config/source/parse.ts';

const configOf = (access: unknown) => ({
  listeners: [{ name: 'web', bind: ':80', upstream: 'app', access }],
  upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
});

/** The list in the form that it has in effect. */
function listOf(access: unknown): unknown {
  const parsed = parseConfig(configOf(access));
  if (!parsed.ok) return parsed.issues.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  const { listeners } = effectiveOf(parsed.config) as { listeners: { access: unknown }[] };
  return listeners[0]?.access;
}

void t.test('the keys of a mapping count in the order in which they stand', t => {
  t.same(listOf({ allow: ['10.0.0.0/8'], deny: ['all'] }), [{ allow: ['10.0.0.0/8'] }, { deny: ['all'] }]);
  t.same(listOf({ deny: ['10.0.0.0/8'], allow: ['all'] }), [{ deny: ['10.0.0.0/8'] }, { allow: ['all'] }]);
  t.same(listOf([{ deny: 'unix' }, { allow: [] }, { deny: 'drop' }]), [{ deny: ['unix'] }, { allow: [] }, { deny: 'drop' }]);
  t.end();
});

void t.test('what is in effect, parsed again, is the same', t => {
  for (const access of [{ deny: ['file:a', '::1'], allow: 'all' }, { deny: 'reset' }, [{ allow: 'unix' }, { allow: ['::/0'] }]])
    t.same(listOf(listOf(access)), listOf(access));
  t.end();
});

void t.test('what is wrong has its place and what is expected there', t => {
  const at = 'listeners[0].access';
  const cases: readonly (readonly [access: unknown, issue: RegExp])[] = [
    [{ allow: ['10.0.0.0/8', '10.0.0.0/33'] }, /^listeners\[0\]\.access\.allow\[1\]: expected a network .* got "10\.0\.0\.0\/33"/],
    [[{ deny: ['all'] }, { allow: ['nobody'] }], /^listeners\[0\]\.access\[1\]\.allow\[0\]: expected a network/],
    [[{ deny: ['all'], allow: ['all'] }], /^listeners\[0\]\.access\[0\]: expected a mapping with one key/],
    [{ deni: ['all'] }, /^listeners\[0\]\.access\.deni: unknown key .* did you mean "deny"/],
    [{}, /^listeners\[0\]\.access: expected a mapping such as/],
    [[], /^listeners\[0\]\.access: expected a mapping such as/],
    ['all', /^listeners\[0\]\.access: expected a mapping such as/],
    [{ allow: 'drop' }, /^listeners\[0\]\.access\.allow: expected/],
    [{ allow: ['file:'] }, /allow\[0\]: expected a network/],
    [{ deny: null }, /^listeners\[0\]\.access\.deny/],
  ];
  for (const [access, issue] of cases) {
    const found = listOf(access) as string[];
    t.match(found, [issue], `${at} ${JSON.stringify(access)}: ${JSON.stringify(found)}`);
  }
  t.end();
});
