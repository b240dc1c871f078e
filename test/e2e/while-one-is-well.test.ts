/**
 * Most backends are down, and the checks know it: no client fails.
 *
 * Every way to be down, how many of how many, strategy, rate and number of workers, over one set of backends; each
 * combination is an upstream with a listener of its own in one lb4. `npm test` takes a part of them and few clients;
 * LB4_TEST_LOAD=full all of them, with LB4_TEST_CLIENTS clients each (default 250).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { PROBE_PATH, type Behaviour } from '../harness/faulty-backend.ts';
import { startBackendProcess } from '../harness/faulty-backends.ts';
import { CLIENTS_EACH as CLIENTS, FULL } from '../harness/full-load.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { runPacedSessions, tally } from '../harness/paced-sessions.ts';
import { until } from '../harness/until.ts';

const HOW = ['refuse', 'blackHole', 'acceptAndClose', 'frozen'] as const;
const COUNTS = [
  { down: 2, of: 3 },
  { down: 6, of: 10 },
  { down: 9, of: 10 },
] as const;
const STRATEGIES = ['leastconn', 'roundrobin', 'p2c'] as const;
const MOST_DOWN = 9;
const MOST_WELL = 4;

const RATES = FULL ? [100, 500] : [20];
const WORKERS = FULL ? [1, 2] : [DATA_PLANE.workers === 0 ? 0 : 2];
/** New clients a second, over all upstreams that have a load at a time: what two busy cores take. */
const MOST_PER_SECOND = FULL ? 500 : 250;

interface Cell {
  readonly name: string;
  readonly how: (typeof HOW)[number];
  readonly strategy: (typeof STRATEGIES)[number];
  readonly down: number;
  readonly of: number;
}

const cells: readonly Cell[] = HOW.flatMap((how, i) =>
  COUNTS.flatMap(({ down, of }, j) =>
    // Each strategy meets each way to be down and each count.
    (FULL ? STRATEGIES : [STRATEGIES[(i + j) % STRATEGIES.length] ?? 'leastconn']).map(strategy => ({
      ...{ name: `${how}-${down}-of-${of}-${strategy}`, how, strategy, down, of },
    })),
  ),
);

/** How sockets that answer nobody are made: the kernel accepts for a stopped process. */
const behaviourOf = (how: Cell['how']): Behaviour => (how === 'frozen' ? 'serve' : how);
/** A check that only connects passes at those that accept. */
const healthOf = (how: Cell['how']) =>
  how === 'refuse' || how === 'blackHole'
    ? ({ type: 'tcp', timeout: '1s' } as const)
    : ({ type: 'http', path: PROBE_PATH, timeout: '1s' } as const);

async function startBackends(t: Parameters<typeof startBackendProcess>[0]) {
  const many = (name: string, count: number, behaviour: Behaviour): Record<string, Behaviour> =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name} ${i}`, behaviour]));
  const well = await startBackendProcess(t, many('well', MOST_WELL, 'serve'));
  const down = new Map<Cell['how'], readonly TcpAddress[]>();
  for (const how of HOW) {
    const process = await startBackendProcess(t, many(how, MOST_DOWN, behaviourOf(how)));
    if (how === 'frozen') process.stop();
    down.set(
      how,
      process.backends.map(({ address }) => address),
    );
  }
  return (cell: Cell): readonly TcpAddress[] => [
    ...(down.get(cell.how) ?? []).slice(0, cell.down),
    ...well.backends.slice(0, cell.of - cell.down).map(({ address }) => address),
  ];
}

/** In groups that may have their load at the same time. */
function groupsFor(rate: number): readonly (readonly Cell[])[] {
  const size = Math.max(1, Math.floor(MOST_PER_SECOND / rate));
  return Array.from({ length: Math.ceil(cells.length / size) }, (_, i) =>
    cells.slice(i * size, (i + 1) * size),
  );
}

t.setTimeout(FULL ? 3_600_000 : 60_000);

void t.test(
  'with two of three, six of ten or nine of ten backends down no client fails',
  {
    skip: process.platform !== 'linux' && 'black holes and an address for each backend take Linux',
  },
  async t => {
    const backendsOf = await startBackends(t);
    for (const workers of WORKERS) {
      const config: ConfigInput = {
        ...DATA_PLANE,
        workers,
        listeners: cells.map(({ name }) => ({
          ...{ name, bind: '127.0.0.1:0', upstream: name },
          timeouts: { idle: '30s' },
        })),
        upstreams: cells.map(cell => ({
          name: cell.name,
          strategy: cell.strategy,
          backends: backendsOf(cell).map(formatAddress),
          health: healthOf(cell.how),
        })),
      };
      const file = join(t.testdir({}), `lb4-${workers}.json`);
      writeFileSync(file, JSON.stringify(config));
      const lb4 = await startLb4(t, ['-c', file]);
      const allDown = cells.reduce((sum, { down }) => sum + down, 0);
      const known = (): number => {
        const lines = lb4.lines.filter(({ event }) => event === 'backendDown');
        return new Set(lines.map(({ upstream, backend }) => `${String(upstream)} ${String(backend)}`)).size;
      };
      await until('the checks know it', () => known() === allDown, 30_000);
      const addressOf = ({ name }: Cell): TcpAddress => {
        const line = lb4.lines.find(({ event, listener }) => event === 'listening' && listener === name);
        return { kind: 'tcp', host: '127.0.0.1', port: Number(String(line?.['address']).split(':').at(-1)) };
      };
      for (const rate of RATES) {
        for (const group of groupsFor(rate)) {
          const outcomes = await runPacedSessions(t, {
            address: group.map(addressOf),
            ratePerSecond: rate * group.length,
            durationMs: (CLIENTS / rate) * 1_000,
            answerWithinMs: 10_000,
          });
          t.equal(outcomes.length, CLIENTS * group.length, `${workers} workers, ${rate} a second:`);
          group.forEach((cell, i) => {
            const own = outcomes.filter((_, index) => index % group.length === i);
            const failed = own.filter(({ outcome }) => outcome !== 'ok').map(({ outcome }) => outcome);
            t.equal(tally(failed), '', `${cell.name}: all of ${own.length} clients are served`);
          });
        }
      }
      const lost = lb4.lines.filter(({ event }) => event === 'backendDown').length - allDown;
      t.comment(`${workers} workers: ${lost} backends were found down besides, or again`);
      t.equal(await lb4.stop(), 0);
    }
  },
);
