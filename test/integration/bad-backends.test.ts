/**
 * Eight backends under 500 sessions a second, five of them bad in five ways: what ejection and retries are for.
 *
 * Each session of the load has a client address of its own, so the access log says of each which backend it was put
 * on in the end, and how it ended.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress } from '../../src/support/address.ts';
import { PROBE_PATH } from '../harness/faulty-backend.ts';
import { startBackendProcess } from '../harness/faulty-backends.ts';
import { startLb4, type LogLine } from '../harness/lb4-process.ts';
import { runPacedSessions, summary, tally, type SessionOutcome } from '../harness/paced-sessions.ts';
import { until } from '../harness/until.ts';

const RATE_PER_SECOND = 500;
const DURATION_MS = 5_000;
/** By then every backend that a check can find has been found: two checks that fail after half a second each. */
const FOUND_MS = 3_000;
const HEALTHY = ['healthy 1', 'healthy 2', 'healthy 3'];

interface Placed extends SessionOutcome {
  /** The backend it was put on, by name. */
  readonly on: string;
  readonly session: LogLine;
}

void t.test(
  'of eight backends five are bad: clients of the healthy ones see no error, and nobody fails whom another backend could have served',
  { skip: process.platform !== 'linux' && 'black holes and an address for each client take Linux' },
  async t => {
    const mixed = await startBackendProcess(t, {
      ...Object.fromEntries(HEALTHY.map(name => [name, 'serve' as const])),
      refuses: 'refuse',
      'black hole': 'blackHole',
      'accepts and closes': 'acceptAndClose',
      flaps: { flap: 1_000 },
    });
    const alone = await startBackendProcess(t, { stopped: 'serve' });
    alone.stop();
    const backends = [...mixed.backends, ...alone.backends];
    const names = new Map(backends.map(({ name, address }) => [formatAddress(address), name]));

    const config: ConfigInput = {
      // Short, so that what hangs on the stopped backend after its client has gone is in the access log soon.
      listeners: [
        { name: 'in', bind: '127.0.0.1:0', upstream: 'all', timeouts: { idle: '3s', halfClosed: '500ms' } },
      ],
      upstreams: [
        {
          name: 'all',
          // Sends every eighth session to each, however it does: the hardest for what is tested.
          strategy: 'roundrobin',
          backends: [...names.keys()],
          health: { type: 'http', path: PROBE_PATH, interval: '500ms', timeout: '500ms', rise: 2, fall: 2 },
          ejection: { failures: 5, earlyClose: '100ms' },
          connect: { timeout: '300ms' },
        },
      ],
      log: { access: true },
    };
    const file = join(t.testdir({}), 'lb4.json');
    writeFileSync(file, JSON.stringify(config));
    const lb4 = await startLb4(t, ['-c', file]);

    const outcomes = await runPacedSessions(t, {
      address: { kind: 'tcp', host: lb4.host, port: lb4.port },
      ratePerSecond: RATE_PER_SECOND,
      durationMs: DURATION_MS,
      answerWithinMs: 2_000,
    });
    for (const line of summary(outcomes)) t.comment(line);
    const placed = await place(outcomes, lb4.lines, names);
    t.equal(placed.length, (RATE_PER_SECOND * DURATION_MS) / 1_000, 'every session is in the access log');

    const failed = placed.filter(({ outcome }) => outcome !== 'ok');
    t.comment(`failed: ${failed.length}: ${reasonsOf(failed)}`);
    t.comment(`sessions by attempts: ${tally(placed.map(({ session }) => String(session['attempts'])))}`);
    const changes = lb4.lines.filter(({ event }) => /^backend/.test(event));
    t.comment(
      `state changes: ${tally(changes.map(({ event, backend }) => `${event} ${names.get(String(backend))}`))}`,
    );

    const ofHealthy = failed.filter(({ on }) => HEALTHY.includes(on));
    t.equal(reasonsOf(ofHealthy), '', 'clients of healthy backends see no error');
    const neverPlaced = failed.filter(({ session }) => session['phase'] !== 'relay');
    t.equal(reasonsOf(neverPlaced), '', 'nobody fails while there is a backend that could serve');
    const found = ['accepts and closes', 'stopped'];
    const late = failed.filter(({ on, plannedMs }) => found.includes(on) && plannedMs > FOUND_MS);
    t.equal(reasonsOf(late), '', `nobody is put on what checks find, after ${FOUND_MS} ms`);
    const goodShare = 1 - failed.length / placed.length;
    t.ok(goodShare > 0.8, `${(100 * goodShare).toFixed(1)} % of all are served, the bad start included`);
  },
);

/** `12 on stopped: timeout, idle in relay`, and so on. */
function reasonsOf(sessions: readonly Placed[]): string {
  return tally(
    sessions.map(
      ({ on, outcome, session }) =>
        `on ${on}: ${outcome}, ${String(session['reason'])} in ${String(session['phase'])}`,
    ),
  );
}

/** Joins outcomes with the access log; resolves when every session is in it. */
async function place(
  outcomes: readonly SessionOutcome[],
  lines: readonly LogLine[],
  names: ReadonlyMap<string, string>,
): Promise<readonly Placed[]> {
  const sessions = (): readonly LogLine[] => lines.filter(({ event }) => event === 'session');
  await until('every session is logged', () => sessions().length >= outcomes.length, 20_000);
  const byClient = new Map(sessions().map(session => [String(session['client']).split(':')[0], session]));
  return outcomes.flatMap(outcome => {
    const session = byClient.get(outcome.client);
    if (session === undefined) return [];
    return [{ ...outcome, session, on: names.get(String(session['backend'])) ?? 'none' }];
  });
}
