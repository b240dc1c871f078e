/** Counters in shared memory: what one thread counts all read, nothing is lost, and a new owner of a slot begins at 0. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Blocks } from '../../../src/shared-memory/counters/counters.ts';
import { BLOCK_CELLS, BACKEND, LISTENER, UPSTREAM } from '../../../src/shared-memory/counters/layout.ts';
import { ENDINGS, endingOf, WORKER_DIED } from '../../../src/shared-memory/counters/endings.ts';
import { boundOf, bucketOf, bucketsOf, bucketUpTo } from '../../../src/shared-memory/counters/histogram.ts';
import { Counts } from '../../../src/model/counter-view.ts';
import { REASONS } from '../../../src/model/termination.ts';
import { ControlledState, SharedState } from '../../../src/shared-memory/shared-state.ts';
import { fc } from '../../harness/properties.ts';

const countsOf = ({ cells, at, rows }: Blocks): Counts => new Counts(cells, at, rows);

function cellOf({ counters }: ControlledState, slot: number, cell: number): number | undefined {
  const { cells, at } = counters.copier(1)(slot);
  return cells[at + cell];
}

const RANGE = { lowest: -13, highest: 5 };

void t.test('a time is in the bucket of the native schema 3 whose bounds hold it', t => {
  const holds = (seconds: number): boolean => {
    const bucket = bucketOf(RANGE, seconds);
    const above = bucket === 0 ? -Infinity : boundOf(RANGE, bucket - 1);
    return seconds > above && seconds <= boundOf(RANGE, bucket);
  };
  fc.assert(fc.property(fc.double({ min: 0, max: 1e6, noNaN: true }), holds), { numRuns: 2_000 });
  // Of each bound: the bound itself, which is within, and its neighbours.
  const bounds = Array.from({ length: bucketsOf(RANGE) - 1 }, (_, bucket) => boundOf(RANGE, bucket));
  const near = bounds.flatMap(bound => [bound * (1 - 2 ** -53), bound, bound * (1 + 2 ** -52)]);
  t.strictSame(
    near.filter(seconds => !holds(seconds)),
    [],
  );
  bounds.forEach((bound, i) => t.ok(Math.abs(Math.log2(bound) * 8 - (RANGE.lowest * 8 + i)) < 1e-9));
  t.equal(boundOf(RANGE, bucketUpTo(RANGE, -1)), 0.5);
  t.equal(bucketOf(RANGE, NaN), bucketsOf(RANGE) - 1, 'what is no number is counted as well');
  t.end();
});

void t.test('no two counters of a block share a cell, and all are inside it', t => {
  for (const block of [LISTENER, UPSTREAM, BACKEND]) {
    const cells = Object.values(block).flatMap(entry =>
      entry.kind === 'counter'
        ? entry.series.map((_, i) => entry.at + i)
        : [entry.sumAt, ...Array.from({ length: bucketsOf(entry.range) }, (_, i) => entry.at + i)],
    );
    t.equal(new Set(cells).size, cells.length);
    t.ok(Math.max(...cells) < BLOCK_CELLS);
  }
  t.end();
});

void t.test('what every session writes at its backend is in two cache lines, beside its buckets', t => {
  const { bytes, picks, connections, connect, firstByte, ended } = BACKEND;
  const lines = [bytes.at, bytes.at + 1, picks.at, connections.at, connect.sumAt, firstByte.sumAt].map(
    at => at >> 3,
  );
  t.strictSame([...new Set([...lines, ended.at >> 3, (ended.at + 1) >> 3])], [0, 1]);
  t.end();
});

/** The page names sides and phases of a reason in two columns, and not each side goes with each phase. */
function isPossible(side: string, phase: string, reason: string): boolean {
  // No backend is there yet.
  if (side === 'backend') return phase !== 'queue' && phase !== 'admission';
  // lb4 waits for a client's first bytes; a connect that takes too long is the backend's doing.
  return !(reason === 'timeout' && phase === 'connect');
}

void t.test('every way to end that docs/terminations.md names has a cell', t => {
  const page = readFileSync(
    fileURLToPath(new URL('../../../../docs/terminations.md', import.meta.url)),
    'utf8',
  );
  const words = (cell = ''): string[] => cell.split(',').map(word => word.trim());
  const rows = [...page.matchAll(/^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|/gm)].filter(([, word = '']) =>
    (REASONS as readonly string[]).includes(word),
  );
  t.equal(rows.length, REASONS.length, 'the page has every reason');
  const known = ENDINGS.map(ending => ending.join(' '));
  for (const [, reason = '', by, phases] of rows)
    for (const side of words(by))
      for (const phase of words(phases))
        if (isPossible(side, phase, reason))
          t.ok(known.includes(`${side} ${phase} ${reason}`), `${side} ${phase} ${reason}`);
  t.equal(ENDINGS[WORKER_DIED]?.[2], 'workerDied');
  t.equal(
    ENDINGS[endingOf({ by: 'client', phase: 'relay', reason: 'new' })]?.[2],
    'other',
    'unknown ones are counted',
  );
  for (const [i, [by, phase, reason]] of ENDINGS.entries()) t.equal(endingOf({ by, phase, reason }), i);
  t.end();
});

void t.test('the rows of all threads add up, whichever came first', t => {
  const control = new ControlledState({ workers: 2, slots: 300 });
  const before = control.slotOfBackend('app', 'a').index;
  const workers = [0, 1].map(worker => new SharedState(structuredClone(control.memory), worker));
  // Its memory was given out after the workers had started.
  const later =
    Array.from({ length: 200 }, (_, i) => control.slotOfBackend('app', `b${i}`).index).at(-1) ?? 0;
  for (const worker of workers)
    worker.counters.adopt(structuredClone(control.controlled.chunksOf([before, later])));
  workers.forEach(({ counters }, i) => {
    counters.cells(before).add(BACKEND.bytes, 1, 2 ** 40 + i);
    counters.cells(later).note(BACKEND.connect, 500);
  });
  const { counters } = control;
  for (const read of [counters.copier(2), (slot: number) => counters.live(slot)]) {
    const [first, second] = [countsOf(read(before)), countsOf(read(later))];
    t.equal(first.of(BACKEND.bytes, 1), 2 ** 41 + 1);
    t.equal(first.times(BACKEND.connect).sum, 0);
    const times = second.times(BACKEND.connect);
    t.same([times.sum, times.count, times.filled()], [1, 2, [[-8, 2]]]);
    t.same([times.quantile(0.5), times.cumulative().slice(-5)], [0.5, [0, 2, 2, 2, 2]]);
  }
  t.end();
});

void t.test('rows of threads that may come are neither read nor cleared until they are expected', t => {
  const control = new ControlledState({ workers: 1, mostWorkers: 2, slots: 300 });
  const { index: slot } = control.slotOfBackend('app', 'a');
  const rows = (): number => control.counters.live(slot).rows;
  t.equal(rows(), 2, 'those of control and of the first worker');
  const [one, two] = [0, 1].map(worker => new SharedState(structuredClone(control.memory), worker));
  one?.counters.cells(slot).add(BACKEND.ended, 0, 1);
  control.expectWorkers(2);
  t.equal(rows(), 3);
  two?.counters.cells(slot).add(BACKEND.ended, 0, 2);
  two?.counts.take(slot, undefined);
  control.controlled.cells(slot).add(BACKEND.ended, 0, 4);
  t.equal(cellOf(control, slot, BACKEND.ended.at), 7);
  t.equal(control.counts.live(slot), 1);
  t.end();
});

void t.test(
  'a worker that is started again goes on where the dead one ended; its sessions are counted as ended',
  t => {
    const control = new ControlledState({ workers: 2, slots: 8 });
    const slots = [
      control.slotOfListener('web'),
      control.slotOfQueue('app'),
      control.slotOfBackend('app', 'a').index,
    ];
    const [listener = 0, queue = 0, backend = 0] = slots;
    const worker = new SharedState(control.memory, 1);
    worker.counters.cells(backend).add(BACKEND.ended, 0, 5);
    worker.counts.take(listener, undefined);
    worker.counts.take(listener, undefined);
    worker.counts.take(backend, undefined);
    worker.counts.take(queue, undefined);
    control.forget(1);
    new SharedState(control.memory, 1).counters.cells(backend).add(BACKEND.ended, 0, 1);
    const total = (slot: number, at: number): number | undefined => cellOf(control, slot, at);
    t.equal(total(backend, BACKEND.ended.at), 6);
    t.equal(total(backend, BACKEND.ended.at + WORKER_DIED), 1);
    t.equal(total(listener, LISTENER.ended.at + WORKER_DIED), 2);
    t.equal(total(queue, UPSTREAM.ended.at + WORKER_DIED), 2, 'one at the backend, one that waited');
    t.end();
  },
);

void t.test('a backend in a slot that was another one’s begins at 0', t => {
  const control = new ControlledState({ slots: 3 });
  const slot = control.slotOfBackend('app', 'a').index;
  control.counters.cells(slot).add(BACKEND.picks, 0, 7);
  control.slotOfBackend('app', 'a');
  t.equal(cellOf(control, slot, BACKEND.picks.at), 7, 'asking again changes nothing');
  control.freeBackend('app', 'a');
  t.equal(control.slotOfBackend('app', 'b').index, slot);
  t.equal(cellOf(control, slot, BACKEND.picks.at), 0);
  t.end();
});
