/**
 * The configuration's documents against its schema, both ways: the reference, the JSON Schema, the samples.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse as parseYaml } from 'yaml';
import * as z from 'zod';
import { parseConfig } from '../../src/config/source/parse.ts';
import { STRATEGY_NAMES } from '../../strategies/index.ts';
import { LB4 } from '../harness/lb4-process.ts';
import { fc } from '../harness/properties.ts';
import '../harness/run-once.ts';
import { keysOf } from '../harness/schema-keys.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const SAMPLES = 'deploy/examples';
const samples = readdirSync(join(root, SAMPLES)).filter(file => /\.(yaml|json)$/.test(file));

const jsonSchema = JSON.parse(read('schema/lb4.schema.json')) as z.core.JSONSchema.JSONSchema;
const bySchema = z.fromJSONSchema(jsonSchema);

const keys = new Set(keysOf(jsonSchema));

/** The rows of the reference: the cells of each, by key. */
const rows = new Map(
  read('docs/configuration.md')
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line => line.split(' | ').map(cell => cell.replace(/^\| | \|$/g, '')))
    .map(([key = '', ...cells]) => [key.replaceAll('`', ''), cells]),
);

await t.test('the generated files are fresh', t => {
  const result = spawnSync(process.execPath, [join(root, 'dist/scripts/generate.js'), '--check'], {
    encoding: 'utf8',
  });
  t.equal(result.stderr, '');
  t.equal(result.status, 0);
  t.end();
});

await t.test('every key of the schema is in the reference, and the other way round', t => {
  t.ok(keys.size > 30);
  const documented = [...rows.keys()].filter(key => !key.endsWith('[]'));
  t.strictSame(documented.toSorted(), [...keys].toSorted());
  t.end();
});

await t.test('every key has a type and a meaning', t => {
  for (const [key, [type, , , meaning]] of rows) {
    t.ok(type, key);
    t.match(meaning, /\w+.*\.( \||$)/, key);
  }
  t.end();
});

await t.test('the documented defaults are what an absent key becomes', t => {
  const defaults = [...rows].filter(([, [, byDefault = '']]) => byDefault.startsWith('`'));
  t.ok(defaults.length > 15);
  /** Sections that mean something by being there at all; their keys have a default where they are. */
  const optional: Record<string, object> = {
    'upstreams[].health.tls': { health: { type: 'tls', tls: {} } },
    'upstreams[].agent': { agent: { port: 1 } },
    'upstreams[].sticky': { sticky: {} },
    'upstreams[].sendProxy': { sendProxy: {} },
    'listeners[].limits.perClient': { limits: { perClient: { sessions: 1 } } },
    'listeners[].limits.perNetwork': { limits: { perNetwork: { sessions: 1 } } },
    'listeners[].acceptProxy': { acceptProxy: { from: ['10.0.0.1'] } },
    'listeners[].sni': { sni: { routes: [{ match: 'a.test', upstream: 'u' }] } },
    'listeners[].tls': { tls: { cert: 'c.pem', key: 'k.pem' } },
    'upstreams[].tls': { tls: {} },
    redis: { redis: { url: 'redis://h' } },
  };
  const build = (path: string, value?: unknown): unknown => {
    const section = Object.keys(optional).find(each => path.startsWith(`${each}.`));
    const there = structuredClone(optional[section ?? ''] ?? {});
    const ofUpstream = section?.startsWith('upstreams[]') === true;
    const ofListener = section?.startsWith('listeners[]') === true;
    const config: Record<string, unknown> = {
      listeners: [{ name: 'l', bind: ':1', upstream: 'u', ...(ofListener ? there : {}) }],
      upstreams: [{ name: 'u', backends: [{ address: 'a:1' }], ...(ofUpstream ? there : {}) }],
      ...(ofUpstream || ofListener ? {} : there),
    };
    let at: Record<string, unknown> = config;
    if (value === undefined) return config;
    const parts = path.replaceAll('[]', '.0').split('.');
    for (const part of parts.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
    at[parts.at(-1) ?? ''] = value;
    return config;
  };
  for (const [key, [, byDefault = '']] of defaults) {
    const explicit = parseConfig(build(key, parseYaml(byDefault.replaceAll('`', ''))));
    t.ok(explicit.ok, key);
    t.strictSame(explicit, parseConfig(build(key)), key);
  }
  t.end();
});

await t.test('every sample passes lb4 check, from any folder, and the JSON Schema', t => {
  t.ok(samples.length >= 4);
  for (const sample of samples) {
    const args = [LB4, 'check', '-c', join(root, SAMPLES, sample)];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: tmpdir(), encoding: 'utf8' });
    t.equal(stderr, '', sample);
    t.equal(status, 0, sample);
    const checked = bySchema.safeParse(parseYaml(read(join(SAMPLES, sample))));
    t.equal(checked.success ? '' : z.prettifyError(checked.error), '', sample);
  }
  t.end();
});

await t.test('every sample points editors to the JSON Schema', t => {
  for (const sample of samples) {
    const [first = '', second = ''] = read(join(SAMPLES, sample)).split('\n');
    if (sample.endsWith('.json')) t.equal(second, '  "$schema": "../../schema/lb4.schema.json",', sample);
    else t.equal(first, '# yaml-language-server: $schema=../../schema/lb4.schema.json', sample);
  }
  t.end();
});

await t.test('the full sample has every key, and stands in the reference', t => {
  const used = new Set<string>(['$schema']);
  const collect = (value: unknown, path: string): void => {
    if (Array.isArray(value)) for (const element of value) collect(element, `${path}[]`);
    else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        const at = path === '' ? key : `${path}.${key}`;
        used.add(at);
        collect(inner, at);
      }
    }
  };
  const text = read(join(SAMPLES, 'full.yaml'));
  // Files that are not there are named in comments.
  const whole = text.replaceAll(/^( +)# (\w+: (?:\S+|\[.*\]))$/gm, '$1$2');
  collect(parseYaml(whole), '');
  t.not(whole, text);
  // Keys that exclude each other: a comment has the other choice.
  const otherwise = whole.replaceAll(/^ +\S.*\n( +)# or: (.*)$/gm, '$1$2');
  collect(parseYaml(otherwise), '');
  t.not(otherwise, whole);
  t.equal(parseConfig(parseYaml(otherwise), { requireUnits: true }).ok, true);
  t.equal(parseConfig(parseYaml(whole), { requireUnits: true }).ok, true);
  t.strictSame([...used].toSorted(), [...keys].toSorted());
  t.ok(read('docs/configuration.md').includes(text.slice(text.indexOf('listeners:')).trim()));
  t.end();
});

await t.test('the JSON Schema refuses what lb4 refuses by shape', t => {
  const listener = { name: 'l', bind: ':1', upstream: 'u' };
  const upstream = { name: 'u', backends: ['a:1'] };
  const good = { listeners: [listener], upstreams: [upstream] };
  const bad = [
    {},
    { ...good, x: 1 },
    { ...good, drainTimeout: '5x' },
    { ...good, drainTimeout: 5 },
    { ...good, listeners: [] },
    { ...good, listeners: [{ ...listener, bind: 'x' }] },
    { ...good, upstreams: [{ ...upstream, backends: ['a'] }] },
    { ...good, upstreams: [{ ...upstream, backends: [{ address: 'a:1', weight: -1 }] }] },
    { ...good, upstreams: [{ ...upstream, strategy: 'x' }] },
    { ...good, upstreams: [{ ...upstream, health: 'on' }] },
    { ...good, redis: 'redis://h' },
    { ...good, redis: {} },
    { ...good, redis: { url: 'http://h' } },
    { ...good, redis: { url: 'redis://h', publish: 250 } },
    { ...good, redis: { url: 'redis://h', instance: 'a b' } },
  ];
  t.ok(bySchema.safeParse(good).success);
  for (const input of bad) {
    t.notOk(bySchema.safeParse(input).success, JSON.stringify(input));
    t.notOk(parseConfig(input, { requireUnits: true }).ok, JSON.stringify(input));
  }
  t.end();
});

await t.test('the JSON Schema accepts whatever lb4 accepts from a file', t => {
  const duration = fc.constantFrom('0', 0, '10ms', '5s', '10m', '1h', '168h');
  const sessions = fc.record({ maxSessions: fc.integer({ min: 1, max: 2_000_000 }) }, { requiredKeys: [] });
  const input = fc.record(
    {
      listeners: fc.constant([{ name: 'l', bind: [':1', 'unix:/x', '[::]:2'], upstream: 'u' }]),
      upstreams: fc
        .record(
          {
            name: fc.constant('u'),
            strategy: fc.constantFrom(...STRATEGY_NAMES, './x.js', '/x', 'y.mjs', 'x'),
            backends: fc.constantFrom(
              ['a:1', 'b:2@256', 'unix:/x@y'],
              [{ address: 'A:1', weight: 0 }],
              ['a:1@300'],
            ),
            health: fc.oneof(
              fc.constantFrom('off', false),
              fc.record({ interval: duration, rise: fc.integer({ min: 0, max: 101 }) }, { requiredKeys: [] }),
            ),
          },
          { requiredKeys: ['name', 'backends'] },
        )
        .map(upstream => [upstream]),
      limits: sessions,
      drainTimeout: duration,
      redis: fc.record(
        {
          url: fc.constantFrom(
            'redis://h',
            'REDISS://u:p@[::1]:1/2',
            'rediss+sentinel://a,b:1/m',
            'redis+cluster://a,b',
          ),
          publish: duration,
          tls: fc.constant({ serverName: 'h' }),
        },
        { requiredKeys: ['url'] },
      ),
    },
    { requiredKeys: ['listeners', 'upstreams'] },
  );
  let accepted = 0;
  fc.assert(
    fc.property(input, value => {
      if (!parseConfig(value, { requireUnits: true }).ok) return true;
      accepted++;
      return bySchema.safeParse(value).success;
    }),
    { numRuns: 300 },
  );
  t.ok(accepted > 20);
  t.end();
});
