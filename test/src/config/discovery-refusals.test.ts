import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';

const issues = (discovery: unknown, backends?: unknown): readonly string[] => {
  const parsed = parseConfig({
    listeners: [{ name: 'web', bind: '127.0.0.1:1', upstream: 'app' }],
    upstreams: [{ name: 'app', discovery, ...(backends === undefined ? {} : { backends }) }],
  });
  return parsed.ok ? [] : parsed.issues.map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`);
};

void t.test('what is wrong with sources of backends is named with its place', t => {
  const cases: [discovery: unknown, problem: RegExp][] = [
    [[], /^discovery: expected a list of 1 to 16 sources, got an empty list$/],
    [[{}], /^discovery\.0\.type: missing; expected (one of )?"?file"?,? (or )?"?registration"?/],
    [[{ type: 'dsn' }], /^discovery\.0\.type: expected .*file.*, got "dsn"/],
    [[{ type: 'file' }], /^discovery\.0\.path: missing; expected the path of a file$/],
    [
      [{ type: 'file', path: 'a', ttl: '5s' }],
      /^discovery\.0\.ttl: expected no such key with type file; it belongs to registration/,
    ],
    [
      [{ type: 'registration', path: 'a' }],
      /^discovery\.0\.path: expected no such key with type registration; it belongs to file/,
    ],
    [[{ type: 'registration', ttl: '0s' }], /^discovery\.0\.ttl: expected a duration/],
    [
      [{ type: 'registration' }, { type: 'registration', ttl: '9s' }],
      /^discovery\.1: expected each source only once/,
    ],
    [
      [
        { type: 'file', path: 'a' },
        { type: 'file', path: 'a' },
      ],
      /^discovery\.1: expected each source only once/,
    ],
  ];
  for (const [discovery, problem] of cases) {
    const found = issues(discovery);
    t.ok(
      found.some(each => problem.test(each)),
      `${JSON.stringify(discovery)}: ${found.join(' | ')}`,
    );
  }
  t.same(issues([{ type: 'file', path: 'a' }, { type: 'file', path: 'b' }, { type: 'registration' }]), []);
  t.same(issues([{ type: 'registration' }], []), []);
  t.match(issues(undefined, []), ['backends: expected a list of 1 to 10000 backends, got an empty list']);
  t.match(issues(undefined), ['backends: missing; expected a list of 1 to 10000 backends']);
  t.end();
});
