/**
 * Numbers from outside, at every reader of them: what is no number of its kind is refused or bounded where it is
 * read, so that nothing behind it overflows 32 bits, runs a timer at once or compares with NaN.
 *
 * Texts and sizes have tests of their own beside the readers; what another program leaves in Redis is in
 * mirror/redis-strange-values.test.ts.
 */
import t from 'tap';
import type * as z from 'zod';
import { fieldFacts } from '../../../src/config/schema/fields.ts';
import { loadConfig } from '../../../src/config/source/load.ts';
import { configSchema } from '../../../src/config/schema/schema.ts';
import { elementOf, layers, shapeOf } from '../../../src/config/schema/schema-tree.ts';
import { parseAgentAnswer } from '../../../src/control/health/agent-answer.ts';
import type { Totals } from '../../../src/control/mirror/exchange.ts';
import { parseChange } from '../../../src/control/mirror/exchange-codec.ts';
import { UpstreamMirror } from '../../../src/control/mirror/upstream-mirror.ts';
import { ElsewhereCounts, ElsewhereNews } from '../../../src/shared-memory/elsewhere-counts.ts';
import { scaleMaxSessions, scaleWeights } from '../../../src/control/upstream/slow-start.ts';
import { createFakeUpstream } from '../../harness/fake-upstream.ts';

const INT32 = 2 ** 31 - 1;
/** Everything that is no small number of sessions, and what lies around the ends of 32 bits and of a double. */
const ODD = [
  ...[-1, -0.5, 0.5, NaN, Infinity, -Infinity],
  ...[INT32, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53, 2 ** 53 + 2, 1e308, -(2 ** 31), -1e308],
];
const ODD_TEXTS = [
  ...ODD.map(String),
  ...['', ' ', '1e3', '0x10', '1_000', '١', '+5', '5 ', '1,5', '9'.repeat(400)],
];
const isWithin = (value: unknown, most: number): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;

/** Every number and duration of the configuration, by its path. */
function numbersOf(schema: z.core.$ZodType, path: string): [string, z.core.$ZodType][] {
  const isNumber = layers(schema).some(layer => {
    const facts = fieldFacts.get(layer);
    return facts?.duration === true || facts?.type === 'integer';
  });
  if (isNumber) return [[path, schema]];
  const element = elementOf(schema);
  const children = Object.entries(shapeOf(schema) ?? {}).flatMap(([key, child]) =>
    numbersOf(child, `${path}.${key}`),
  );
  return [...children, ...(element === undefined ? [] : numbersOf(element, `${path}[]`))];
}

/** Users and groups have numbers of 32 bits without a sign, of which the last one is none. */
const mostOf = (path: string): number => (/\.(?:user|group)$/.test(path) ? 2 ** 32 - 2 : INT32);

void t.test('configuration: every number and duration fits 32 bits and a timer, or is refused', async t => {
  const numbers = numbersOf(configSchema, '');
  t.ok(numbers.length > 40, 'they were found');
  for (const [path, schema] of numbers) {
    for (const value of [...ODD, ...ODD_TEXTS, ...ODD.map(each => `${each}h`)]) {
      // The union of what all fields are; each of them is a plain zod schema.
      const parsed = (schema as z.ZodType).safeParse(value);
      if (parsed.success && typeof parsed.data === 'number') {
        t.ok(isWithin(parsed.data, mostOf(path)), `${path}: ${value} became ${parsed.data}`);
      }
    }
  }
});

void t.test('command line and environment: a number is whole and within its range, or an error', async t => {
  const number = (key: 'maxSessions' | 'poolWarm' | 'workers', given: string): unknown => {
    const loaded = loadConfig({ flags: { backends: 'a:1', [key]: given }, env: {} });
    if (!loaded.ok) return 'refused';
    const { limits, upstreams, workers } = loaded.config;
    return { maxSessions: limits.maxSessions, poolWarm: upstreams[0]?.pool.warm, workers }[key];
  };
  for (const key of ['maxSessions', 'poolWarm', 'workers'] as const) {
    for (const text of ODD_TEXTS) t.equal(number(key, text), 'refused', `${key} ${text}`);
    t.equal(number(key, '1'), 1);
  }
});

void t.test('agents: a share and a limit stay within their ranges, alone and together', async t => {
  const shares = ODD_TEXTS.map(text => parseAgentAnswer(`${text}% maxconn:${text}`));
  for (const [i, { percent = 0, maxSessions = 0 }] of shares.entries()) {
    t.ok(isWithin(percent, 25_600), `${ODD_TEXTS[i]}%`);
    t.ok(isWithin(maxSessions, INT32), `maxconn:${ODD_TEXTS[i]}`);
    t.ok(isWithin(scaleMaxSessions(maxSessions, 100), INT32));
  }
  const weights = scaleWeights(
    Array.from({ length: 10_000 }, (_, i) => ({
      weight: 256,
      permille: 1000 - (i % 7),
      percent: i % 2 ? 25_600 : 1,
    })),
  );
  t.ok(weights.every(weight => weight >= 1 && isWithin(weight, INT32)));
  const sum = weights.reduce((a, b) => a + b, 0);
  t.ok(
    isWithin(sum * Math.max(...weights), Number.MAX_SAFE_INTEGER),
    'products of weights and their sum are exact',
  );
});

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';

/** An instance that has heard these totals, and then these changes, as its pickers see it. */
function hearing(totals: Record<string, number>, deltas: readonly number[] = [], unseen = 0) {
  const counts = new ElsewhereCounts(ElsewhereCounts.allocate(2));
  const news = new ElsewhereNews();
  const mirror = new UpstreamMirror(
    {
      name: 'app',
      visit: each => [A, B].forEach(backend => each(backend, 0)),
      sessions: () => 0,
      placed: () => 0,
      hear: (elsewhere, more) => {
        [A, B].forEach((backend, slot) => counts.set(slot, elsewhere.get(backend) ?? 0));
        news.hear(more);
      },
      failed: () => undefined,
    },
    { periodMs: 250, owner: 'me' },
    0,
  );
  const answer: Totals = {
    ...{ kind: 'totals', version: 1, wasUnknown: false, others: ['sister'], ageMs: 0, isTelling: true },
    ...{ totals: new Map(Object.entries(totals)), unseen },
  };
  mirror.accept(mirror.publication('me'), answer, 0);
  deltas.forEach((delta, i) =>
    mirror.apply(
      { upstream: 'app', instance: 'sister', version: 2 + i, deltas: new Map([[A, delta]]) },
      'me',
    ),
  );
  return { counts, news };
}

void t.test('other instances: totals, changes and what is unseen stay within 32 bits', async t => {
  for (const odd of ODD) {
    for (const { counts, news } of [
      hearing({ [A]: odd }),
      hearing({ [A]: 1 }, [odd, odd, 1]),
      hearing({}, [], odd),
    ]) {
      t.ok(isWithin(counts.count(0), 2 ** 26), `${odd}: ${counts.count(0)}`);
      t.ok(news.unseen >= 0 && news.unseen <= 2_000_000, `${odd}: ${news.unseen}`);
    }
  }
});

void t.test('other instances: a change is a whole number, or no change', async t => {
  const said = (delta: string): unknown =>
    parseChange('app', `{"instance":"sister","version":"2","deltas":{"${A}":${delta}}}`);
  for (const text of ['0.5', '1e308', '9'.repeat(400), '"1"', 'null', '[]', 'NaN'])
    t.equal(said(text), undefined);
  t.match(said('-1'), { version: 2 });
  const versions = ['-1', '1.5', 'NaN', '1e308', '"x"', 'null'];
  for (const version of versions) {
    t.equal(parseChange('app', `{"instance":"sister","version":${version},"deltas":{"${A}":1}}`), undefined);
  }
});

void t.test(
  'a backend that others say is full to bursting gets no session, whatever the strategy',
  async t => {
    for (const strategy of ['leastconn', 'p2c', 'ewma'] as const) {
      for (const total of [2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 1e308]) {
        const { upstream, hear, live } = createFakeUpstream(
          { [A]: {}, [B]: {} },
          { strategy, mirrored: true },
        );
        hear({ [A]: total });
        for (let i = 0; i < 20; i++) upstream.picker.pick('192.0.2.1');
        t.same([live(A), live(B)], [0, 20], `${strategy}, ${total}`);
      }
    }
  },
);
