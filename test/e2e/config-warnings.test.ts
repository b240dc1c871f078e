/** Warnings about a configuration: `check` prints them and passes, `run` logs them and goes on. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';

const EXAMPLES = fileURLToPath(new URL('../../../deploy/examples/', import.meta.url));

const check = (file: string) => runProgram(process.execPath, [LB4, 'check', '-c', file]);

void t.test('check names the place of each, shows nothing of a variable, and exits 0', async t => {
  const folder = t.testdir({
    'lb4.yaml': `listeners:
  - { name: web, bind: ['\${SECRET}:8080'], upstream: app }
upstreams:
  - name: app
    backends:
      - 10.0.0.1:80
      - { address: '\${SECRET}:8080', weight: 2 }
  - { name: spare, backends: [10.0.0.2:80] }
`,
  });
  const file = join(folder, 'lb4.yaml');
  const { code, stdout, stderr } = await runProgram(process.execPath, [LB4, 'check', '-c', file], {
    env: { ...process.env, SECRET: '127.0.0.1' },
  });
  t.equal(code, 0, stderr);
  t.equal(stdout, `${file}: valid, 1 listener, 2 upstreams, 2 warnings\n`);
  t.same(stderr.trim().split('\n'), [
    `${file}:7:9  warning: upstreams[0].backends[1]: \${SECRET}:8080 leads back to listeners[0].bind (\${SECRET}:8080): each session opens another one, until descriptors run out`,
    `${file}:8:5  warning: upstreams[1]: no listener names this upstream: its backends are checked, and get no sessions`,
  ]);
});

void t.test('run logs them and starts all the same', async t => {
  const lb4 = await startLb4(t, ['-b', '10.0.0.1:80,[::ffff:10.0.0.1]:80', '--health', 'off']);
  t.match(
    lb4.lines.filter(({ event }) => event === 'configWarning'),
    [{ level: 'warn', message: /^--backends: \[::ffff:10\.0\.0\.1\]:80 leads to the same place as/ }],
  );
  t.equal(await lb4.stop(), 0);
});

void t.test('the examples need none', async t => {
  for (const name of readdirSync(EXAMPLES).filter(name => /\.(yaml|json)$/.test(name)))
    t.match(await check(join(EXAMPLES, name)), { code: 0, stderr: '' }, name);
});
