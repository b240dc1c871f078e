import t from 'tap';
import { formatIssues } from '../../../src/config/report/format-issues.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { fc } from '../../harness/properties.ts';

/** Words of zod that must not reach a user; and the fallback of a schema that forgot to say what it expects. */
const JARGON = /invalid|zod|undefined|NaN to|unrecognized|too_|expected string|another value|\[object/i;

/** Configurations that are nearly right: known keys with right and wrong values in them. */
const value = fc.oneof(
  fc.constantFrom(
    'off',
    'tcp',
    'app',
    '10.0.0.1:80',
    ':80',
    '5s',
    '5x',
    '',
    0,
    -1,
    1,
    2.5,
    true,
    false,
    null,
  ),
  fc.jsonValue({ maxDepth: 2 }),
);
const mapping = (...keys: string[]) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 4 }) },
    { weight: 1, arbitrary: value },
  );
const listOf = (element: fc.Arbitrary<unknown>) => fc.oneof(fc.array(element, { maxLength: 3 }), value);
const timeouts = mapping('idle', 'halfClosed', 'lifetime');
const health = mapping('type', 'interval', 'timeout', 'rise', 'fall');
const listener = fc.record(
  { name: value, bind: listOf(value), upstream: value, timeouts },
  { requiredKeys: [] },
);
const upstream = fc.record(
  { name: value, strategy: value, health, backends: listOf(mapping('address', 'weight', 'maxSessions')) },
  { requiredKeys: [] },
);
const nearlyRight = fc.record(
  {
    listeners: listOf(listener),
    upstreams: listOf(upstream),
    drainTimeout: value,
    log: mapping('level', 'access'),
  },
  { requiredKeys: [] },
);

await t.test('whatever JSON comes in, the answer is a config or issues in plain words, never a throw', t => {
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), nearlyRight), fc.boolean(), (input, requireUnits) => {
      const result = parseConfig(input, { requireUnits });
      if (result.ok) return;
      if (result.issues.length === 0) throw new Error('no issue');
      for (const issue of result.issues) {
        if (JARGON.test(issue.expected)) throw new Error(`jargon: ${formatIssues([issue])}`);
        if (!issue.message.includes(issue.got) && issue.kind !== 'missing')
          throw new Error('got is not told');
      }
      const places = new Set(result.issues.map(issue => JSON.stringify(issue.path)));
      if (places.size !== result.issues.length) throw new Error('two issues for one place');
    }),
    { numRuns: 400 },
  );
  t.end();
});

await t.test('a cycle in the input of the library is refused, not followed for ever', t => {
  const cycle: Record<string, unknown> = { listeners: [], upstreams: [] };
  cycle['listeners'] = [cycle];
  cycle['limits'] = cycle;
  const list: unknown[] = [];
  list.push(list);
  t.equal(parseConfig(cycle, { requireUnits: true }).ok, false);
  t.equal(parseConfig({ listeners: list, upstreams: list }, { requireUnits: true }).ok, false);
  t.end();
});
