/** What lb4 prints may find no reader, no disk and no descriptor: it ends with the exit code it would have had, and in one line. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SEPARATE_LB4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const folder = temporaryFolder(t);
const valid = join(folder, 'valid.yaml');
writeFileSync(
  valid,
  'listeners: [{ name: web, bind: "127.0.0.1:0", upstream: app }]\nupstreams: [{ name: app, backends: ["127.0.0.1:81"] }]\n',
);
const invalid = join(folder, 'invalid.yaml');
writeFileSync(invalid, 'listeners: 7\n');

/** Runs it through a shell, which says with which exit code lb4 ended. */
async function inShell(command: string): Promise<{ code: string; said: string }> {
  const { stdout, stderr } = await runProgram('bash', [
    '-c',
    command,
    'bash',
    process.execPath,
    SEPARATE_LB4,
  ]);
  return { code: stdout.trim(), said: stderr };
}

/** Its stdout goes into a pipe whose reader has gone before it writes. */
const withoutReader = (args: string): Promise<{ code: string; said: string }> =>
  inShell(`{ ("$1" "$2" ${args}; echo $? >&3) | true; } 3>&1`);

void t.test('a reader of stdout that has gone changes nothing', async t => {
  for (const [args, code] of [
    ['--help', '0'],
    ['help', '0'],
    ['demo --help', '0'],
    ['--version', '0'],
    [`check -c ${valid}`, '0'],
    ['demo -l 127.0.0.1:0', '0'],
  ] as const) {
    t.same(await withoutReader(args), { code, said: '' }, args);
  }
  t.match(await withoutReader(`check -c ${invalid}`), { code: '78', said: /listeners/ });
});

void t.test('stdout and stderr that are closed are no reason to fail', async t => {
  t.same(await inShell('"$1" "$2" --version >&-; echo $?'), { code: '0', said: '' });
  t.same(await inShell('"$1" "$2" --nonsense 2>&-; echo $?'), { code: '2', said: '' });
  t.same(await inShell('"$1" "$2" --nonsense 2>/dev/full; echo $?'), { code: '2', said: '' });
  t.same(await inShell('"$1" "$2" --version >&- 2>&- <&-; echo $?'), { code: '0', said: '' });
});

void t.test('data for stdout that is lost on a full disk is a failure', async t => {
  for (const args of ['--version', '--help', `check -c ${valid}`]) {
    const { code, said } = await inShell(`"$1" "$2" ${args} >/dev/full; echo $?`);
    t.equal(code, '1', args);
    t.match(said, /^lb4: cannot write to standard output: .*ENOSPC.*\n$/);
  }
});

void t.test(
  'with too few descriptors to load its own files it names the limit in one line',
  { skip: process.platform !== 'linux' && 'limits are read from /proc' },
  async t => {
    for (const limit of [24, 40, 64, 90]) {
      const { code, said } = await inShell(
        `ulimit -n ${limit}; "$1" "$2" -b 127.0.0.1:81 -l 127.0.0.1:0 --workers 0; echo $?`,
      );
      t.equal(code, '1', said);
      t.match(said, new RegExp(`^lb4: too few file descriptors: ulimit -n is ${limit}; .*\n$`));
    }
  },
);
