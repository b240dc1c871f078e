/** The samples in the documents work: configurations are valid, programs run. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadConfigFile } from '../../src/config/source/load.ts';
import { connectClient } from '../harness/client.ts';
import { freePort, runProgram, skipWithout } from '../harness/programs.ts';
import { pause } from '../harness/until.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
// Within the package, so that a sample's `from 'lb4-balancer'` means this very build.
mkdirSync(join(root, 'dist/samples'), { recursive: true });
const folder = mkdtempSync(join(root, 'dist/samples/run-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const documents = [
  'README.md',
  'pool/README.md',
  'strategies/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
];

const text = (document: string): string => readFileSync(join(root, document), 'utf8');

function samples(language: string): { document: string; text: string }[] {
  return documents.flatMap(document =>
    Array.from(
      text(document).matchAll(new RegExp('^```' + language + '\\n(.*?)^```$', 'gms')),
      ([, text = '']) => ({ document, text }),
    ),
  );
}

void t.test('configurations in the documents are valid', async t => {
  const found = samples('yaml').filter(({ text }) => /^listeners:/m.test(text));
  t.ok(found.length > 0);
  found.forEach(({ document, text }, i) => {
    const path = join(folder, `${i}.yaml`);
    writeFileSync(path, text);
    const loaded = loadConfigFile(path, {});
    t.ok(loaded.ok, `${document}: ${loaded.ok ? 'valid' : loaded.message}`);
  });
});

void t.test('the sample for PostgreSQL is the configuration of its page', async t => {
  const [replicas] = samples('yaml').filter(({ document }) => document === 'docs/postgresql.md');
  const path = join(folder, 'replicas.yaml');
  writeFileSync(path, replicas?.text ?? '');
  const [page, sample] = [path, join(root, 'deploy/examples/postgres.yaml')].map(file =>
    loadConfigFile(file, {}),
  );
  t.ok(page?.ok === true && sample?.ok === true);
  if (page?.ok === true && sample?.ok === true) t.same(sample.config, page.config);
});

void t.test('programs in the documents run', async t => {
  const found = samples('js').filter(({ text }) => /from 'lb4-balancer['/]/.test(text));
  t.ok(found.length > 0);
  for (const [i, { document, text }] of found.entries()) {
    const path = join(folder, `${i}.mjs`);
    writeFileSync(path, text);
    const { code, stderr } = await runProgram(process.execPath, [path], { timeoutMs: 20_000 });
    t.equal(code, 0, `${document}: ${stderr}`);
  }
});

const UNITS = ['lb4.service', 'lb4.socket'];

void t.test(
  'the units in deploy/systemd are ones for systemd, and it rates the service OK',
  { skip: skipWithout('systemd-analyze') },
  async t => {
    const paths = UNITS.map(name => {
      const path = join(folder, name);
      // Whether lb4 is installed on this machine is not the point.
      writeFileSync(path, text(`deploy/systemd/${name}`).replace('/usr/bin/node', process.execPath));
      return path;
    });
    const { stderr } = await runProgram('systemd-analyze', ['verify', ...paths]);
    // It also complains about other units of the machine.
    t.notMatch(stderr, /lb4\.(service|socket)/);
    const [service = ''] = paths;
    const security = await runProgram('systemd-analyze', ['security', '--offline=true', service]);
    const [, exposure = '10'] =
      /Overall exposure level for lb4.service: ([\d.]+) OK/.exec(security.stdout) ?? [];
    t.equal(
      exposure,
      /rates it ([\d.]+) \(OK\)/.exec(text('docs/systemd.md'))?.[1],
      security.stdout.slice(-200),
    );
  },
);

void t.test('the unit waits for a drain to end, and never forbids what V8 needs', t => {
  const unit = text('deploy/systemd/lb4.service');
  const value = (key: string): string => new RegExp(`^${key}=(.+)$`, 'm').exec(unit)?.[1] ?? '';
  const drainSeconds = Number(/`drainTimeout` \((\d+)s\)/.exec(text('docs/operations.md'))?.[1]);
  t.ok(Number(value('TimeoutStopSec')) > drainSeconds);
  t.equal(value('MemoryDenyWriteExecute'), 'no');
  t.equal(value('Type'), 'notify');
  const socket = text('deploy/systemd/lb4.socket');
  t.match(socket, /^FileDescriptorName=web$/m);
  t.end();
});

void t.test(
  'the agent of docs/health-checks.md answers as agents do',
  { skip: skipWithout('socat', 'vmstat') },
  async t => {
    const [sample] = samples('sh').filter(({ text }) => text.includes('socat'));
    const port = await freePort();
    const script = (sample?.text ?? '')
      .replace('9999', `${port},bind=127.0.0.1`)
      .replace(/^socat/m, 'exec socat');
    const agent = spawn('sh', ['-c', script], { cwd: folder, stdio: 'inherit' });
    t.teardown(() => agent.kill());
    let answer = '';
    while (answer === '') {
      const client = await connectClient(t, { kind: 'tcp', host: '127.0.0.1', port }).catch(() => pause(20));
      if (client === undefined) continue;
      await once(client.socket, 'end');
      answer = client.text;
    }
    t.match(answer, /^\d+%\n$/);
  },
);
