/** `lb4 check --show`: every value with its origin, no secret, and the same configuration when it is read back. */
import fc from 'fast-check';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { showConfig } from '../../../src/cli/show-config.ts';
import { diffConfigs } from '../../../src/config/diff.ts';
import { loadConfig } from '../../../src/config/source/load.ts';
import { startCommandLine } from '../../harness/command-line.ts';
import { randomConfig } from '../../harness/random-config.ts';

void t.test('each value has its place in the file, or is a default', async t => {
  const file = join(
    t.testdir({
      'lb4.yaml': [
        'listeners:',
        "  - { name: web, bind: '127.0.0.1:0', upstream: app }",
        'upstreams:',
        '  - name: app',
        '    health: { interval: 3s }',
        '    backends:',
        '      - 10.0.0.1:80@2',
        '      - address: 10.0.0.2:80',
        '        weight: ${W}',
        'redis: { url: "redis://me:hunter2@r" }',
      ].join('\n'),
    }),
    'lb4.yaml',
  );
  const lb4 = startCommandLine(t);
  const { code, stdout, stderr } = await lb4(['check', '-c', file, '--show'], { W: '7' });
  t.same([code, stderr], [0, ''], stdout);
  const lines = stdout.split('\n');
  t.equal(lines[0], `# ${file}: valid, 1 listener, 1 upstream`);
  for (const line of [
    `  - name: web # ${file}:2:13`,
    `      - 127.0.0.1:0 # ${file}:2:24`,
    '      idle: 1h # default',
    `      - address: 10.0.0.1:80 # ${file}:7:9`,
    `        weight: 2 # ${file}:7:9`,
    `        weight: 7 # ${file}:9:17`,
    `      interval: 3s # ${file}:5:25`,
    '      timeout: 2s # default',
    '    strategy: leastconn # default',
    `  url: redis://***@r:6379 # ${file}:10:15`,
  ]) {
    t.ok(lines.includes(line), line);
  }
  t.notMatch(stdout, 'hunter2');
});

void t.test('read back it is the same configuration, but for secrets', async t => {
  const folder = t.testdir({});
  const [file, shown] = [join(folder, 'lb4.yaml'), join(folder, 'shown.yaml')];
  const load = (path: string) => {
    const loaded = loadConfig({ file: path, env: {} });
    if (!loaded.ok) throw new Error(loaded.message);
    return loaded;
  };
  fc.assert(
    fc.property(randomConfig, input => {
      writeFileSync(file, JSON.stringify({ ...input, redis: undefined }));
      const { config, origin } = load(file);
      const text = showConfig(config, origin);
      writeFileSync(shown, text);
      const differences = diffConfigs(config, load(shown).config).filter(
        ({ path }) => path.at(-1) !== 'send',
      );
      return differences.length === 0 && !text.includes('hunter2');
    }),
    { numRuns: 60 },
  );
});
