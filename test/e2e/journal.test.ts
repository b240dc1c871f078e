/**
 * lb4 writes to the journal of systemd: a real systemd-journald in a mount namespace of its own, and journalctl says
 * what it has got.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LB4 } from '../harness/lb4-process.ts';
import { withoutMounts } from '../harness/log-destinations.ts';
import { ManySessions } from '../harness/many-sessions.ts';
import { ended, freePort, runProgram, skipWithout } from '../harness/programs.ts';
import { withoutLibc } from '../harness/real-libc.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const JOURNALD = '/lib/systemd/systemd-journald';
const CONFIGURATION = '[Journal]\nStorage=volatile\nAudit=no\nReadKMsg=no\nRateLimitBurst=0\n';

type Entry = Readonly<Record<string, unknown>>;

void t.test(
  'entries have level, program, facility and event; hostile text is one message; a restart of the journal loses nothing',
  {
    skip:
      withoutLibc ||
      withoutMounts() ||
      skipWithout('journalctl', 'nsenter') ||
      (!existsSync(JOURNALD) && 'no journald'),
    timeout: 60_000,
  },
  async t => {
    const folder = temporaryFolder(t);
    const sessions = await ManySessions.start(t);
    const port = await freePort();
    const hostile = `unix:${folder}/x\nPRIORITY=0\nMESSAGE=forged\u202e`;
    const journal = await startJournal(t, folder);
    const lb4 = startLb4In(t, folder, journal, {
      listeners: [{ name: 'web', bind: [`127.0.0.1:${port}`], upstream: 'app' }],
      upstreams: [
        { name: 'app', backends: [sessions.backend], health: { type: 'off' } },
        { name: 'other', backends: [hostile], health: { fall: 1 } },
      ],
      ...{ engine: 'epoll', workers: 1, drainTimeout: '200ms' },
      log: {
        to: { type: 'journald', app: 'edge-1', facility: 'local3' },
        access: { fields: ['session', 'reason'] },
      },
    });
    const entries = (...matches: string[]): Promise<Entry[]> => entriesIn(lb4, ...matches);
    const count = async (event: string): Promise<number> => (await entries(`EVENT=${event}`)).length;
    await until('it is served', async () => (await sessions.run(port, 1)).length === 0, 30_000);

    await until('the backend is found down', async () => (await count('backendDown')) > 0);
    const [down] = await entries('EVENT=backendDown');
    t.match(down, { PRIORITY: '4', SYSLOG_FACILITY: '19', _TRANSPORT: 'journal', _PID: String(lb4.pid) });
    t.match(down?.['MESSAGE'], /x\\nPRIORITY=0\\nMESSAGE=forged\\u202e of other is down/);
    t.strictSame(await entries('PRIORITY=0'), [], 'text cannot begin a field of its own');
    t.match(await entries('EVENT=started'), [{ PRIORITY: '6', MESSAGE: /^lb4 .* started/ }]);

    const before = await count('session');
    t.strictSame(await sessions.run(port, 500), []);
    await until('every session has an entry', async () => (await count('session')) === before + 500);

    journal.kill('SIGKILL');
    await ended(journal);
    t.strictSame(await sessions.run(port, 100), []);
    const second = spawn('nsenter', [mountsOf(lb4), JOURNALD], { stdio: 'ignore' });
    t.teardown(() => second.kill('SIGKILL'));
    await until('the journal takes lines again', async () => (await count('logMended')) > 0);
    t.strictSame(await sessions.run(port, 100), []);
    await until('every session has an entry', async () => (await count('session')) === before + 700);
    const messages = (await entries('EVENT=session')).map(({ MESSAGE }) => String(MESSAGE));
    t.equal(new Set(messages).size, messages.length, 'and none has two');
    t.match(messages[0], /^session=\S+ reason=closed$/);

    lb4.kill('SIGTERM');
    t.strictSame(await ended(lb4), { code: 0, signal: null });
    const last = async (): Promise<Entry[]> => entriesIn(second, 'EVENT=drainEnded');
    await until('its last entry is there', async () => (await last()).length === 1);
  },
);

/** In a namespace in which /run is its own. */
async function startJournal(t: Test, folder: string): Promise<ChildProcess> {
  const file = join(folder, 'journald.conf');
  writeFileSync(file, CONFIGURATION);
  const script = [
    'mount -t tmpfs lb4-test /run',
    'mkdir -p /run/systemd/journal',
    `mount --bind ${file} /etc/systemd/journald.conf`,
    `exec ${JOURNALD}`,
  ].join(' && ');
  const journal = spawn('unshare', ['--mount', 'sh', '-c', script], { stdio: 'ignore' });
  t.teardown(() => journal.kill('SIGKILL'));
  // Before that its mounts, and its socket, may still be those of the machine.
  await until('the journal runs', () =>
    readlinkSync(`/proc/${journal.pid ?? 0}/exe`).endsWith('/systemd-journald'),
  );
  return journal;
}

/** lb4 in the journal's namespace, which lives as long as either of them. */
function startLb4In(t: Test, folder: string, journal: ChildProcess, configuration: object): ChildProcess {
  const file = join(folder, 'lb4.json');
  writeFileSync(file, JSON.stringify(configuration));
  const waiting = 'until [ -S /run/systemd/journal/socket ]; do sleep 0.05; done; exec "$@"';
  const shell = ['sh', '-c', waiting, 'sh', process.execPath, LB4, '-c', file];
  const lb4 = spawn('nsenter', [mountsOf(journal), ...shell], { stdio: 'ignore' });
  t.teardown(() => lb4.kill('SIGKILL'));
  return lb4;
}

/** For nsenter: a program that is to see the mounts of a process. */
const mountsOf = ({ pid }: ChildProcess): string => `--mount=/proc/${pid ?? 0}/ns/mnt`;

async function entriesIn(child: ChildProcess, ...matches: string[]): Promise<Entry[]> {
  const journalctl = ['journalctl', '--no-pager', '-o', 'json', 'SYSLOG_IDENTIFIER=edge-1', ...matches];
  const { stdout } = await runProgram('nsenter', [mountsOf(child), ...journalctl]);
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Entry);
}
