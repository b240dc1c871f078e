/** Reloads over a file in memory: what is reported, in which order, and that a file that is refused changes nothing. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Reloader, type ReloaderDeps } from '../../../src/cli/reloader.ts';
import type { Config } from '../../../src/config/schema/schema.ts';
import { loadConfig } from '../../../src/config/source/load.ts';
import { Lb4Error } from '../../../src/errors.ts';
import type { ReloadReport } from '../../../src/model/reload-report.ts';
import { fc } from '../../harness/properties.ts';
import { randomConfig } from '../../harness/random-config.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';
import { until } from '../../harness/until.ts';

const configOf = (more = ''): string =>
  [
    'listeners:',
    "  - { name: web, bind: '127.0.0.1:0', upstream: app }",
    'upstreams:',
    '  - name: app',
    '    backends: [127.0.0.1:81]',
    more,
  ].join('\n');

/** A reloader whose file the test writes, over a balancer that only keeps what it is given. */
function over(t: Test, first: string, changes: Partial<ReloaderDeps> = {}) {
  const folder = temporaryFolder(t);
  const file = join(folder, 'lb4.yaml');
  const write = (text: string | Uint8Array): void => writeFileSync(file, text);
  write(first);
  const load = () => loadConfig({ file, env: {}, mayWait: false });
  const loaded = load();
  if (!loaded.ok) throw new Error(loaded.message);
  const applied: Config[] = [];
  const ended: ReloadReport[] = [];
  const inForce: Config[] = [];
  const reloader = new Reloader({
    ...{ file, config: loaded.config, load },
    started: Promise.resolve(),
    untilWritten: () => Promise.resolve(),
    problemsWithFiles: () => ({ problems: [], warnings: [] }),
    changesOfFiles: () => Promise.resolve([]),
    apply: async config => void applied.push(config),
    state: () => 'running',
    successor: () => undefined,
    wallClock: () => 0,
    onEnded: (report, config) => {
      ended.push(report);
      inForce.push(config);
    },
    ...changes,
  });
  return { file, write, reloader, applied, ended, inForce, first: loaded.config };
}

const textsOf = (report: ReloadReport): string[] =>
  report.ok ? report.changes.map(({ text }) => text) : report.problems.map(({ text }) => text);

void t.test('a reload reports what it has changed, when, and what asked for it', async t => {
  const { file, write, reloader, applied, ended } = over(t, configOf());
  t.equal(reloader.last, undefined);
  write(configOf('    slowStart: 3s'));
  const report = await reloader.reload({ trigger: 'signal' });
  t.same(report, {
    ...{ ok: true, at: '1970-01-01T00:00:00.000Z', trigger: 'signal', dryRun: false, file, warnings: [] },
    changes: [
      {
        ...{ kind: 'changed', what: 'key', path: ['upstreams', 'app', 'slowStart'], from: '0', to: '3s' },
        text: 'upstream app: slowStart 0 → 3s',
      },
    ],
  });
  t.equal(applied[0]?.upstreams[0]?.slowStart, 3_000);
  t.same(ended, [report]);
  t.equal(reloader.last, report);
  t.match(await reloader.reload({ trigger: 'signal' }), { ok: true, changes: [] });
});

void t.test('a dry run reports the same, and changes nothing', async t => {
  const { write, reloader, applied, ended } = over(t, configOf());
  write(configOf('    slowStart: 3s'));
  for (let i = 0; i < 2; i++) {
    const report = await reloader.reload({ trigger: 'api', dryRun: true });
    t.match(report, { ok: true, dryRun: true });
    t.same(textsOf(report), ['upstream app: slowStart 0 → 3s']);
  }
  t.same([applied, ended, reloader.last], [[], [], undefined]);
  write(configOf('workers: 3'));
  t.match(await reloader.reload({ trigger: 'api', dryRun: true }), { ok: false, reason: 'needsUpgrade' });
});

void t.test(
  'a mistake is reported with file, line and column, and the next difference is to what is in force',
  async t => {
    const { file, write, reloader, applied, inForce, first } = over(t, configOf());
    write(configOf('    slowStart: fast'));
    t.match(await reloader.reload({ trigger: 'signal' }), {
      ...{ ok: false, reason: 'invalid' },
      problems: [
        {
          text: `${file}:6:16  upstreams[0].slowStart: expected a duration such as 250ms, 5s, 10m or 1h, got "fast"`,
          ...{ path: 'upstreams[0].slowStart', file, line: 6, column: 16 },
        },
      ],
    });
    t.same(applied, []);
    t.equal(inForce.at(-1), first);
    write(configOf('    slowStart: 1s'));
    t.same(textsOf(await reloader.reload({ trigger: 'signal' })), ['upstream app: slowStart 0 → 1s']);
  },
);

void t.test(
  'workers, engine, workerStallTimeout, name and admin take an upgrade; the rest of such a file is not applied',
  async t => {
    const { file, write, reloader, applied } = over(t, configOf());
    write(
      configOf(
        'workers: 3\nengine: node\nworkerStallTimeout: 1m\nname: b\nadmin: { socket: off }\ndrainTimeout: 1s',
      ),
    );
    const report = await reloader.reload({ trigger: 'signal' });
    t.match(report, { ok: false, reason: 'needsUpgrade' });
    const why = 'takes an upgrade or a restart: it cannot change while lb4 runs';
    t.same(textsOf(report), [
      `${file}:6:10  workers: auto → 3 ${why}`,
      `${file}:7:9  engine: auto → node ${why}`,
      `${file}:8:21  workerStallTimeout: 30s → 1m ${why}`,
      `${file}:9:7  name: default → b ${why}`,
      `${file}:10:18  admin.socket: auto → off ${why}`,
    ]);
    t.same(applied, []);
  },
);

void t.test(
  'what a balancer refuses is a report, too, and the configuration before stays in force',
  async t => {
    const refuse = new Lb4Error('LB4_LISTEN_FAILED', 'cannot listen on 127.0.0.1:0: in use');
    const { write, reloader, inForce, first } = over(t, configOf(), { apply: () => Promise.reject(refuse) });
    write(configOf('    slowStart: 1s'));
    t.match(await reloader.reload({ trigger: 'signal' }), {
      ...{ ok: false, reason: 'failed' },
      problems: [{ text: 'cannot listen on 127.0.0.1:0: in use' }],
    });
    t.same(inForce, [first]);
  },
);

void t.test('files that the configuration names are checked before anything changes', async t => {
  const { file, write, reloader, applied } = over(t, configOf(), {
    problemsWithFiles: () => ({
      problems: [
        {
          ...{ path: ['upstreams', 'app', 'slowStart'], kind: 'value', expected: 'a', got: 'b' },
          message: 'expected a, got b',
        },
      ],
      warnings: [],
    }),
  });
  write(configOf('    slowStart: 1s'));
  t.same(textsOf(await reloader.reload({ trigger: 'signal' })), [
    `${file}:6:16  upstreams[0].slowStart: expected a, got b`,
  ]);
  t.same(applied, []);
});

void t.test('a reload after an upgrade names the process that has taken over', async t => {
  const { write, reloader } = over(t, configOf(), { state: () => 'draining', successor: () => 4711 });
  write(configOf('    slowStart: 1s'));
  const text =
    'after an upgrade process 4711 has taken over: the configuration can change only there, and this process is draining';
  t.match(await reloader.reload({ trigger: 'api' }), { reason: 'refused', problems: [{ text }] });
});

void t.test('a reload is refused while lb4 is draining, also when the drain begins during it', async t => {
  let state: ReturnType<ReloaderDeps['state']> = 'draining';
  const apply = async (): Promise<void> => {
    state = 'leaving';
    throw new Lb4Error('LB4_WRONG_STATE', 'cannot take over a configuration');
  };
  const { write, reloader } = over(t, configOf(), { state: () => state, apply });
  write(configOf('    slowStart: 1s'));
  const text = 'the configuration can change only while lb4 is running, and it is';
  t.match(await reloader.reload({ trigger: 'signal' }), {
    ...{ ok: false, reason: 'refused' },
    problems: [{ text: `${text} draining` }],
  });
  state = 'running';
  t.match(await reloader.reload({ trigger: 'signal' }), {
    ...{ ok: false, reason: 'refused' },
    problems: [{ text: `${text} leaving` }],
  });
});

void t.test('without a file there is nothing to reload', async t => {
  const { reloader, applied } = over(t, configOf(), { file: undefined });
  t.match(await reloader.reload({ trigger: 'signal' }), { ok: false, reason: 'refused' });
  t.same(applied, []);
});

void t.test('reloads never overlap, and those that wait for their turn are one', async t => {
  const going: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const { write, reloader, ended } = over(t, configOf(), {
    apply: async () => {
      most = Math.max(most, ++running);
      await new Promise<void>(resolve => going.push(resolve));
      running--;
    },
  });
  const reload = () => reloader.reload({ trigger: 'signal' });
  const begun = (count: number): Promise<void> => until('it is applied', () => going.length === count);
  const first = reload();
  await begun(1);
  write(configOf('    slowStart: 1s'));
  const others = [reload(), reload(), reload()];
  going[0]?.();
  t.match(await first, { ok: true, changes: [] });
  await begun(2);
  const last = reload();
  going[1]?.();
  const reports = new Set(await Promise.all(others));
  t.same([...reports].map(textsOf), [['upstream app: slowStart 0 → 1s']]);
  await begun(3);
  going[2]?.();
  t.match(await last, { ok: true, changes: [] });
  t.equal(most, 1);
  t.equal(ended.length, 3);
});

void t.test('a reload that is asked for before the start has finished comes after it', async t => {
  let start = (): void => undefined;
  const started = new Promise<void>(resolve => (start = resolve));
  const { write, reloader, applied } = over(t, configOf(), { started });
  const reloading = reloader.reload({ trigger: 'signal' });
  await new Promise(setImmediate);
  write(configOf('    slowStart: 1s'));
  t.same(applied, []);
  start();
  t.same(textsOf(await reloading), ['upstream app: slowStart 0 → 1s']);
});

void t.test(
  'whatever is in the file, the report is short, and what is applied is the whole file',
  async t => {
    const { write, reloader, applied, inForce } = over(t, configOf());
    const valid = randomConfig.map(config => JSON.stringify(config));
    const broken = fc.tuple(valid, fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, inserted]) => {
      const cut = at % text.length;
      return text.slice(0, cut) + inserted + (at % 2 === 0 ? text.slice(cut + inserted.length) : '');
    });
    const anything = fc.oneof(
      valid,
      broken,
      fc.string(),
      fc.uint8Array().map(bytes => Buffer.from(bytes)),
    );
    await fc.assert(
      fc.asyncProperty(anything, async text => {
        write(text);
        const before = applied.length;
        const report = await reloader.reload({ trigger: 'signal' });
        const all = textsOf(report).join('\n');
        if (/\n {4}at /.test(all) || all.includes('hunter2')) return false;
        if (!report.ok) return applied.length === before && report.problems.length > 0;
        return applied.length === before + 1 && inForce.at(-1) === applied.at(-1);
      }),
      { numRuns: 300 },
    );
  },
);
