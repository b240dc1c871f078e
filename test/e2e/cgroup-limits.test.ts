/** What the system leaves a process, container or not: processors and threads. Control groups take root. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { runProgram, skipWithout } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { until } from '../harness/until.ts';

const ARGS = ['-b', '127.0.0.1:81', '--health', 'off'];
const AUTO = { LB4_WORKERS: 'auto' };
const needsWorkers = loadLibc().ok ? false : 'workers need koffi on Linux';
const needsCores = cpus().length > 1 ? false : 'needs two cores';

/** The file of a new group with these limits that takes process ids; undefined where none can be made. */
function createGroup(
  t: Test,
  controller: string,
  limits: readonly Record<string, string>[],
): string | undefined {
  for (const [base, files] of [
    [`/sys/fs/cgroup/${controller}`, limits[0]],
    ['/sys/fs/cgroup', limits[1]],
  ] as const) {
    const path = join(base, `lb4-test-${process.pid}-${controller}`);
    try {
      mkdirSync(path);
      t.teardown(() => until('the group is empty', () => isRemoved(path)));
      for (const [name, text] of Object.entries(files ?? {})) writeFileSync(join(path, name), text);
      return join(path, 'cgroup.procs');
    } catch {
      // The other version, or no right to.
    }
  }
  return undefined;
}

function isRemoved(path: string): boolean {
  try {
    rmdirSync(path);
  } catch {
    // A process is still on its way out.
  }
  return !existsSync(path);
}

/** A command whose process joins the group first. */
const within = (procs: string): string[] => [
  ...['sh', '-c', `echo $$ > ${procs} && exec "$@"`, 'sh'],
  ...[process.execPath, LB4],
];

void t.test(
  'with an affinity to one core there is one worker, and the start line says why',
  { skip: needsWorkers || needsCores || skipWithout('taskset') },
  async t => {
    const lb4 = await startLb4(t, ARGS, {
      env: AUTO,
      command: ['taskset', '-c', '0', process.execPath, LB4],
    });
    const coreLimit = `an affinity to 1 of ${cpus().length} cores`;
    const started = await lb4.line(({ event }) => event === 'started');
    t.match(started, { workers: 1, coreLimit });
    t.match(started['message'], `1 worker (${coreLimit})`);
    t.equal(await lb4.stop(), 0);
  },
);

void t.test(
  'with a CPU quota of half a core there is one worker, and the start line says why',
  { skip: needsWorkers || needsCores },
  async t => {
    const procs = createGroup(t, 'cpu', [
      { 'cpu.cfs_period_us': '100000', 'cpu.cfs_quota_us': '50000' },
      { 'cpu.max': '50000 100000' },
    ]);
    if (procs === undefined) {
      t.comment('no group of the cpu controller can be made here');
      return;
    }
    const lb4 = await startLb4(t, ARGS, { env: AUTO, command: within(procs) });
    t.match(await lb4.line(({ event }) => event === 'started'), {
      workers: 1,
      coreLimit: `a CPU quota of 0.5 on ${cpus().length} cores`,
    });
    t.equal(await lb4.stop(), 0);
  },
);

for (const engine of ['epoll', 'node']) {
  void t.test(
    `${engine}: a start for which there are too few threads names what is missing in one line, exit 1`,
    { skip: needsWorkers },
    async t => {
      // As many as Node has by itself, and two: with four workers some start and others do not.
      const most = ownThreads() + 2;
      const limits = { 'pids.max': String(most) };
      const procs = createGroup(t, 'pids', [limits, limits]);
      if (procs === undefined) {
        t.comment('no group of the pids controller can be made here');
        return;
      }
      const [program = '', ...before] = within(procs);
      const args = [
        ...ARGS,
        '-l',
        '127.0.0.1:0',
        '--workers',
        '4',
        '--engine',
        engine,
        '--log-format',
        'text',
      ];
      const { code, stderr } = await runProgram(program, [...before, ...args]);
      t.equal(code, 1, stderr);
      t.match(
        stderr,
        new RegExp(
          `^\\S+ error \\d of 4 workers could not be started: .*EAGAIN.*pids\\.max.* ${most}\\).*\\n$`,
        ),
      );
    },
  );
}

/** Threads of a process of Node's that has used its pool, and does nothing. */
function ownThreads(): number {
  const source = `import { readdirSync } from 'node:fs'; import { readFile } from 'node:fs/promises';
    await readFile('/proc/self/status'); console.log(readdirSync('/proc/self/task').length);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', source], { encoding: 'utf8' }));
}
