import t from 'tap';
import { Lb4Error } from '../../../src/errors.ts';
import { startAll, workerFailure } from '../../../src/host/starting.ts';

const LIMITS = { cgroup: 14, user: undefined };
const noThread = Object.assign(new Error('EAGAIN'), { code: 'ERR_WORKER_INIT_FAILED' });

const starts = { start: () => Promise.resolve() };
const fails = (cause: unknown, exitCode?: number) => ({
  start: () => Promise.reject(workerFailure(cause, exitCode)),
});

void t.test('it fails with how many of how many, and what the first one failed with', async t => {
  await startAll([starts, starts], () => LIMITS);
  await t.rejects(
    startAll([starts, fails(new Error('out of memory')), fails(undefined, 9)], () => LIMITS),
    { code: 'LB4_WORKER_FAILED', message: '2 of 3 workers could not be started: out of memory' },
  );
  await t.rejects(
    startAll([fails(undefined, 9)], () => LIMITS),
    /1 of 1 workers .*: exit code 9$/,
  );
});

void t.test('none is left behind while it starts', async t => {
  let isStarted = false;
  const slow = {
    start: async () => {
      await new Promise(resolve => setImmediate(resolve));
      isStarted = true;
    },
  };
  await t.rejects(startAll([fails(noThread), slow], () => LIMITS));
  t.ok(isStarted);
});

void t.test('where the system gives no thread, the limits that are known are named', async t => {
  const message = async (limits: { cgroup: number | undefined; user: number | undefined }) => {
    try {
      await startAll([fails(noThread)], () => limits);
      return '';
    } catch (error) {
      return error instanceof Lb4Error ? error.message : '';
    }
  };
  t.match(await message(LIMITS), /no thread: EAGAIN; .*raise the limit \(pids\.max of its cgroup, 14\)/);
  t.match(await message({ cgroup: undefined, user: 50 }), /\(ulimit -u, 50\)/);
  t.match(await message({ cgroup: undefined, user: undefined }), /kernel\.threads-max/);
});

void t.test('an error with a code of lb4’s own keeps it', async t => {
  const copy = Object.assign(new Error('no such file'), { code: 'LB4_STRATEGY_INVALID' });
  await t.rejects(
    startAll([fails(noThread), fails(copy)], () => LIMITS),
    {
      name: 'Lb4Error',
      code: 'LB4_STRATEGY_INVALID',
      message: 'no such file',
    },
  );
});
