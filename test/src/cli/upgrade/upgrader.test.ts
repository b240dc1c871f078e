/** When an upgrade begins, and the order in which things are handed over. */
import t from 'tap';
import type { Newcomer } from '../../../../src/cli/upgrade/newcomer.ts';
import { NewcomerFailed } from '../../../../src/cli/upgrade/newcomer.ts';
import { Upgrader, type UpgraderDeps } from '../../../../src/cli/upgrade/upgrader.ts';
import type { Inheritance } from '../../../../src/model/inheritance.ts';
import { recordingLog, type Entry } from '../../../harness/admin.ts';

type Ready = Awaited<Newcomer['ready']>;

function over(parts: Partial<Pick<UpgraderDeps, 'pid' | 'obstacle'>> & { state?: 'draining' } = {}) {
  const done: string[] = [];
  const entries: Entry[] = [];
  let settle: { resolve(ready: Ready): void; reject(error: unknown): void } | undefined;
  const ready = new Promise<Ready>((resolve, reject) => (settle = { resolve, reject }));
  const newcomer = {
    pid: 7,
    ready,
    end: (why: string) => settle?.reject(new NewcomerFailed([why])),
    letGo: () => void done.push('let go'),
  };
  const inheritance: Inheritance = {
    sockets: [{ key: 'web', name: 'web', fds: [30, 31], isLent: false }],
    changes: [],
  };
  const upgrader = new Upgrader({
    balancer: {
      state: parts.state ?? 'running',
      handOver: async start => void done.push(`handed over ${(await start(inheritance)).join()}`),
    },
    pid: parts.pid ?? 3,
    obstacle: parts.obstacle ?? (() => undefined),
    admin: {
      toHandOver: () => [{ key: 'unix:/s', name: 'admin', fds: [40], isLent: false }],
      handOver: taken => void done.push(`admin ${taken.join()}`),
    },
    start: ({ fds }) => {
      done.push(`started with ${fds.join()}`);
      // The part that is used.
      return newcomer as unknown as Newcomer;
    },
    onHandedOver: pid => void done.push(`service ${pid}`),
    drain: () => void done.push('drain'),
    log: recordingLog(entries),
  });
  const becomesReady = (): void =>
    settle?.resolve({ kind: 'ready', version: '0.2.0', sockets: ['web'], admin: ['unix:/s'] });
  return { upgrader, done, entries, becomesReady, fails: (error: Error) => settle?.reject(error) };
}

void t.test('everything is handed over at once, the service first, and then it drains', async t => {
  const { upgrader, done, entries, becomesReady } = over();
  const upgrading = upgrader.upgrade('api');
  t.same(done, ['started with 30,31,40']);
  t.match(await upgrader.upgrade('signal'), {
    ok: false,
    reason: 'refused',
    problems: ['another lb4 (process 7) is being started already'],
  });
  becomesReady();
  t.same(await upgrading, { ok: true, pid: 7, version: '0.2.0' });
  t.same(done.slice(1), ['handed over web', 'service 7', 'admin unix:/s', 'let go', 'drain']);
  t.same(
    entries.map(({ level, event }) => `${level} ${event}`),
    ['info upgradeStarted', 'warn upgradeRefused', 'info upgraded'],
  );
  t.match(await upgrader.upgrade('signal'), { ok: false, problems: ['process 7 has taken over already'] });
});

void t.test('a newcomer that fails changes nothing, and another try may follow', async t => {
  const { upgrader, done, entries, fails } = over();
  const upgrading = upgrader.upgrade('signal');
  fails(new NewcomerFailed(['a.yaml:1:1  wrong', 'b']));
  t.same(await upgrading, { ok: false, reason: 'failed', problems: ['a.yaml:1:1  wrong', 'b'] });
  t.same(done, ['started with 30,31,40']);
  t.match(entries[1], {
    level: 'error',
    event: 'upgradeFailed',
    message: 'the upgrade (SIGUSR2) has failed, and lb4 goes on as before: a.yaml:1:1  wrong; b',
  });
  t.match(await upgrader.upgrade('signal'), { reason: 'failed' }, 'it was tried');
});

void t.test('a newcomer is ended when lb4 ends', async t => {
  const { upgrader, done } = over();
  upgrader.abort();
  const upgrading = upgrader.upgrade('signal');
  upgrader.abort();
  t.match(await upgrading, { problems: ['lb4 was told to end meanwhile'] });
  t.notOk(done.includes('drain'));
});

void t.test('where it cannot succeed nothing is started', async t => {
  const cases = [
    [{ state: 'draining' }, 'lb4 is draining'],
    [{ pid: 1 }, /process 1 of a container/],
    [{ obstacle: () => 'no C library' }, 'no C library'],
  ] as const;
  for (const [parts, why] of cases) {
    const { upgrader, done, entries } = over(parts);
    t.match(await upgrader.upgrade('api'), { ok: false, reason: 'refused', problems: [why] });
    t.same(done, []);
    t.match(entries, [{ level: 'warn', event: 'upgradeRefused' }]);
  }
});
