/**
 * Standard error that cannot be written to costs lines, never sessions: neither those that run nor new ones, nor memory,
 * nor time at the end.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { FULL } from '../harness/full-load.ts';
import { LB4 } from '../harness/lb4-process.ts';
import { ended, freePort } from '../harness/programs.ts';
import { ManySessions } from '../harness/many-sessions.ts';
import { residentBytes } from '../harness/resident-bytes.ts';
import '../harness/run-once.ts';
import { SINKS } from '../harness/sinks.ts';
import { until } from '../harness/until.ts';

if (FULL) t.setTimeout(30 * 60_000);

/** Buffers hold the lines of about 2,700 sessions, those of the warm-up among them, before any is lost. */
const SESSIONS = FULL ? { broken: 60_000, stopped: 60_000 } : { broken: 300, stopped: 3_000 };
/** Which engine serves makes no difference to the log; with 0 workers the thread that serves writes it, too. */
const SHARE_OF_NODE = FULL ? 0.2 : 1;
/** Until V8 has made its heap as large as it wants to. */
const WARM_UP = FULL ? 3_000 : 300;
/**
 * 420 bytes for each of 60,000 sessions, and a line has more: if each stayed, it would show.
 * More where a few sessions are all: the heap of a process that has just started still finds its size.
 */
const MEMORY_MIB = FULL ? 24 : 64;
const DRAIN_MS = 200;
const PLANES = [
  ['epoll', 1],
  ['node', 1],
  ['node', 0],
] as const;

for (const kind of SINKS) {
  for (const [engine, workers] of PLANES) {
    // Which thread serves makes no difference to the log: unless all is asked for, one of them stays, and before a
    // terminal none but the thread that also writes the log.
    const isSpared = !FULL && workers === 1 && (engine === 'node' || kind.name.includes('terminal'));
    const skip = kind.skip() || (isSpared && 'LB4_TEST_LOAD=full runs it');
    void t.test(`${kind.name}, ${engine}, ${workers} workers: no session notices`, { skip }, async t => {
      const sessions = await ManySessions.start(t);
      const sink = await kind.open(t);
      const port = await freePort();
      const child = spawn(
        process.execPath,
        [
          ...[LB4, '-l', `127.0.0.1:${port}`, '-b', sessions.backend],
          ...['--engine', engine, '--workers', `${workers}`, '--access-log', '--log-format', 'json'],
          ...['--drain-timeout', `${DRAIN_MS}ms`],
        ],
        { stdio: ['ignore', 'ignore', sink.fd] },
      );
      t.teardown(() => child.kill('SIGKILL'));
      await untilServing(child, sessions, port);
      const held = await openSession(t, port);
      sink.break();
      t.same(await sessions.run(port, WARM_UP), []);
      const before = residentBytes(child.pid ?? 0);
      const total = SESSIONS[sink.read === undefined ? 'broken' : 'stopped'];
      t.same(await sessions.run(port, engine === 'node' ? total * SHARE_OF_NODE : total), []);
      const grown = (): number => (residentBytes(child.pid ?? 0) - before) / 2 ** 20;
      let grownMib = grown();
      // Between two collections a heap may be larger for a moment; what is kept for a session never gets less.
      for (let i = 0; i < 5 && grownMib >= MEMORY_MIB; i++) {
        t.same(await sessions.run(port, WARM_UP), []);
        grownMib = grown();
      }
      t.ok(grownMib < MEMORY_MIB, `memory stays within ${MEMORY_MIB} MiB: ${Math.round(grownMib)}`);
      t.equal(await held.echo('still there?'), 'still there?', 'the session that ran before runs on');

      if (sink.read !== undefined) {
        const lines = createInterface({ input: sink.read() });
        const losses: Record<string, unknown>[] = [];
        lines.on('line', line => {
          // The first one may have its beginning in what was never read.
          if (line.includes('"linesLost"')) losses.push(JSON.parse(line) as Record<string, unknown>);
        });
        await until('the loss is told', () => losses.length > 0);
        t.same(await sessions.run(port, 10), []);
        t.equal(losses.length, 1, 'one line tells of all that were lost');
        t.ok(Number(losses[0]?.['lines']) > 0);
      }

      const startedMs = performance.now();
      child.kill('SIGTERM');
      t.same(await ended(child), { code: 0, signal: null });
      t.ok(performance.now() - startedMs < DRAIN_MS + 2_000, 'it ends in time');
    });
  }
}

async function untilServing(child: ChildProcess, sessions: ManySessions, port: number): Promise<void> {
  while ((await sessions.run(port, 1)).length > 0) {
    if (child.exitCode !== null) throw new Error(`lb4 has ended with ${child.exitCode}`);
  }
}

async function openSession(t: Test, port: number) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  const echo = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      socket.once('close', () => reject(new Error('the session has ended')));
      socket.write(text);
    });
  await echo('hello');
  return { echo };
}
