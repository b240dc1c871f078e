/**
 * A destination of the access log that is full, gone, stopped, slow or cut off costs lines, never sessions, nor memory,
 * nor time at the end; every line arrives or is counted, and the log says when a destination breaks and is mended.
 * Standard error has a test of its own (failing-sinks.test.ts).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { askAdmin } from '../harness/admin.ts';
import { FULL } from '../harness/full-load.ts';
import {
  deadJournal,
  folderGone,
  fullDisk,
  rotatedFile,
  tcpReceiver,
  udpReceiver,
  unixReceiver,
  withoutMounts,
  type FaultyDestination,
} from '../harness/log-destinations.ts';
import { LB4, startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import { ManySessions } from '../harness/many-sessions.ts';
import { withoutLibc } from '../harness/real-libc.ts';
import { residentBytes } from '../harness/resident-bytes.ts';
import '../harness/run-once.ts';
import { Scraped } from '../harness/scraped.ts';
import type { Teardown } from '../harness/teardown.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until, untilSteady } from '../harness/until.ts';

if (FULL) t.setTimeout(5 * 60_000);
// Most of the time is spent waiting for the next attempt of a broken destination.
t.jobs = 4;

interface Kind {
  readonly name: string;
  readonly skip: string | false;
  readonly open: (t: Teardown) => FaultyDestination | Promise<FaultyDestination>;
  /** What the log calls the fault; absent where a destination is slow, or well. */
  readonly code?: RegExp;
  /** What its system has acknowledged it may throw away unread: such lines count as written. */
  readonly discards?: boolean;
  /** More lines than a buffer keeps. */
  readonly overflows?: boolean;
}

const KINDS: readonly Kind[] = [
  { name: 'a full disk', skip: withoutMounts(), open: fullDisk, code: /^ENOSPC$/, overflows: FULL },
  { name: 'a file whose folder is deleted', skip: false, open: folderGone, code: /^ENOENT$/ },
  { name: 'a file that is rotated', skip: false, open: rotatedFile },
  {
    name: 'a unix socket whose receiver has gone',
    skip: withoutLibc,
    open: t => unixReceiver(t, false),
    code: /^(ECONNREFUSED|ENOENT)$/,
  },
  {
    name: 'a unix socket whose receiver stands still',
    skip: withoutLibc,
    open: t => unixReceiver(t, true),
    overflows: true,
  },
  { name: 'a UDP port at which nothing listens', skip: false, open: udpReceiver, code: /^ECONNREFUSED$/ },
  {
    name: 'a TCP port that refuses',
    skip: false,
    open: t => tcpReceiver(t, 'refuses'),
    code: /^(ECONNREFUSED|ECONNRESET|EPIPE)$/,
  },
  { name: 'a TCP receiver that stands still', skip: false, open: t => tcpReceiver(t, 'stands still') },
  {
    name: 'a TCP receiver that resets in the middle of lines',
    skip: false,
    open: t => tcpReceiver(t, 'resets'),
    code: /^(ECONNRESET|EPIPE)$/,
    discards: true,
  },
  {
    name: 'a journal that has gone',
    skip: withoutLibc || withoutMounts(),
    open: deadJournal,
    code: /^(ECONNREFUSED|ENOENT)$/,
  },
];

const PLANES = [
  ['epoll', 2],
  ['node', 1],
  ['node', 0],
] as const;
const SESSIONS = FULL ? { few: 500, many: 6_000 } : { few: 100, many: 2_500 };
const MEMORY_MIB = 64;
const DRAIN_MS = 200;

for (const [i, { name, skip, open, code, discards = false, overflows = false }] of KINDS.entries()) {
  // In a quick run each kind has one engine; with 0 workers the log is written by the thread that serves.
  for (const [engine, workers] of FULL
    ? PLANES
    : [i % 2 === 0 ? (['epoll', 1] as const) : (['node', 0] as const)]) {
    const title = `${name}, ${engine}, ${workers} workers: no session notices, and every line is counted`;
    void t.test(title, { skip, buffered: true, timeout: FULL ? 120_000 : 30_000 }, async t => {
      const sessions = await ManySessions.start(t);
      const destination = await open(t);
      const folder = temporaryFolder(t);
      const file = join(folder, 'lb4.yaml');
      const admin = join(folder, 'admin');
      writeFileSync(
        file,
        JSON.stringify(configuration(destination, sessions.backend, engine, workers, admin)),
      );
      const lb4 = await startLb4(t, ['-c', file], {
        command: [...destination.command, process.execPath, LB4],
      });
      destination.started?.(lb4.pid);
      let total = 0;
      const run = async (count: number): Promise<void> => {
        t.strictSame(await sessions.run(lb4.port, count), []);
        total += count;
      };
      await run(SESSIONS.few);
      await untilCounted(destination, lb4, () => total);

      const before = residentBytes(lb4.pid);
      await destination.break();
      await run(overflows ? SESSIONS.many : SESSIONS.few);
      if (code !== undefined) {
        // Some faults are noticed at the next line only.
        while (eventsOf(lb4, 'logBroken') === 0) await run(1);
        t.match((await lb4.line(({ event }) => event === 'logBroken'))['code'], code);
      }
      await destination.mend();
      if (code !== undefined) await lb4.line(({ event }) => event === 'logMended');
      if (discards) {
        const isWell = async (): Promise<boolean> => (await logsOf(admin)).brokenAs === undefined;
        await until('it takes lines again', isWell);
        const counted = await untilSteady('what is counted', () => countedOf(destination, lb4).all, 1_500);
        t.ok(counted <= total);
        total = counted;
      }
      await untilCounted(destination, lb4, () => total);
      if (overflows) t.ok(lostSaid(destination, lb4) > 0, 'a line says how many were lost');
      const lost = lostSaid(destination, lb4);
      t.equal((await lostFigure(lb4))['lost'], lost, 'and the figures say the same');
      t.match(await logsOf(admin), { linesLost: lost, brokenAs: undefined, inMetrics: lost });
      await run(10);
      await untilCounted(destination, lb4, () => total);
      const grown = Math.round((residentBytes(lb4.pid) - before) / 2 ** 20);
      t.ok(grown < MEMORY_MIB, `memory stays within ${MEMORY_MIB} MiB: ${grown}`);
      t.equal(eventsOf(lb4, 'logMended'), code === undefined ? 0 : eventsOf(lb4, 'logBroken'));

      await destination.break();
      await run(20);
      const startedMs = performance.now();
      lb4.child.kill('SIGTERM');
      t.strictSame(await ended(lb4.child), { code: 0, signal: null });
      t.ok(performance.now() - startedMs < DRAIN_MS + 2_500, 'it ends in time');
      await destination.mend();
      if (!discards) await untilCounted(destination, lb4, () => total);
    });
  }
}

function configuration(
  { to }: FaultyDestination,
  backend: string,
  engine: string,
  workers: number,
  admin: string,
) {
  return {
    ...{ engine, workers, drainTimeout: `${DRAIN_MS}ms` },
    admin: { bind: `unix:${admin}` },
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', backends: [backend], health: { type: 'off' } }],
    log: { access: { to, format: 'json' } },
  };
}

/** Sessions whose line has arrived, and those that are counted as lost. */
function countedOf(destination: FaultyDestination, lb4: Lb4Process) {
  const lines = destination.text().matchAll(/"session":"([^"]+)","startedAt.*?"reason":"closed"\}/g);
  const ids = Array.from(lines, ([, id]) => id);
  const arrived = new Set(ids).size;
  const lost = lostSaid(destination, lb4);
  return { arrived, twice: ids.length - arrived, lost, all: arrived + lost };
}

/**
 * Each session's line has arrived once, or is counted as lost. Over TCP some may arrive twice, and some that were not
 * acknowledged in the end may have arrived and be counted.
 */
async function untilCounted(
  destination: FaultyDestination,
  lb4: Lb4Process,
  total: () => number,
): Promise<void> {
  const isOverTcp = JSON.stringify(destination.to).includes('tcp:');
  const isCounted = (): boolean => {
    const { all, arrived, twice } = countedOf(destination, lb4);
    return isOverTcp ? arrived <= total() && all >= total() : all === total() && twice === 0;
  };
  await until('every line is counted', isCounted).catch((error: unknown) => {
    throw new Error(
      `${String(error)}: ${JSON.stringify({ ...countedOf(destination, lb4), total: total() })}`,
    );
  });
}

/** What lines say: those at the destination, and those of the log about it. */
function lostSaid(destination: FaultyDestination, lb4: Lb4Process): number {
  const there = Array.from(destination.text().matchAll(/"event":"linesLost".*?"lines":(\d+)/g), ([, lines]) =>
    Number(lines),
  );
  const here = lb4.lines.filter(({ event }) => event === 'linesLost').map(({ lines }) => Number(lines));
  return [...there, ...here].reduce((sum, lines) => sum + lines, 0);
}

/** What the status and the metrics say of the access log. */
async function logsOf(path: string) {
  const ask = (what: string) => askAdmin({ kind: 'unix', path }, 'GET', what);
  const logs = (await ask('/api/v1/status')).json['logs'] as { log: string; brokenAs?: string }[];
  const scraped = new Scraped((await ask('/metrics')).text);
  return {
    ...logs.find(({ log }) => log === 'access'),
    inMetrics: scraped.sum('lb4_log_lines_lost_total', { log: 'access' }),
  };
}

/** What SIGUSR1 says. */
async function lostFigure(lb4: Lb4Process) {
  const before = lb4.lines.length;
  lb4.child.kill('SIGUSR1');
  return lb4.line(line => lb4.lines.indexOf(line) >= before && line['log'] === 'access log');
}

function eventsOf(lb4: Lb4Process, event: string): number {
  return lb4.lines.filter(line => line.event === event).length;
}
