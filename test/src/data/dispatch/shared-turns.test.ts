/** Workers take turns together: over all of them `roundrobin` is as exact as in one. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { NUMBERS_PER_BACKEND, NUMBERS_PER_RING } from '../../../../src/shared-memory/turn-rings.ts';
import { HEAD_NUMBERS, turnBytes } from '../../../../strategies/index.ts';
import { createFakeUpstream, type BackendSpec } from '../../../harness/fake-upstream.ts';
import type { ThreadStart } from './shared-turns-thread.ts';

const [A, B, C, STANDBY] = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80', '10.0.0.4:80'] as const;

/** Data planes over the same memory, as so many workers have it. */
function workers(count: number, backends: Record<string, BackendSpec>) {
  const control = new ControlledState({ workers: count, slots: 16 });
  control.configureUpstream('app', { takesTurns: true });
  return Array.from({ length: count }, (_, worker) =>
    createFakeUpstream(backends, { strategy: 'roundrobin', sharing: { control, worker } }),
  );
}

/** The address of the backend picked. */
function pick({ upstream }: ReturnType<typeof createFakeUpstream>): string {
  const picked = upstream.picker.pick('192.0.2.1');
  return typeof picked === 'string' ? picked : picked.backend.id;
}

void t.test('shared memory has room for what a strategy keeps', async t => {
  t.equal(NUMBERS_PER_BACKEND * Float64Array.BYTES_PER_ELEMENT, turnBytes(1));
  t.equal(NUMBERS_PER_RING, HEAD_NUMBERS);
});

void t.test('a pick in one worker moves the turn in all of them', async t => {
  const [one, two] = workers(2, { [A]: {}, [B]: {}, [C]: {} });
  const picks = Array.from({ length: 30 }, (_, i) => pick(i % 2 === 0 ? one! : two!));
  for (let i = 0; i < 30; i += 3) t.equal(new Set(picks.slice(i, i + 3)).size, 3, 'each of three once');
});

void t.test('turns go on while workers hear of a change one after the other', async t => {
  const both = workers(2, { [A]: {}, [B]: {}, [C]: {} });
  const [one, two] = both;
  const picks = Array.from({ length: 7 }, (_, i) => pick(i % 2 === 0 ? one! : two!));
  one!.apply({ [A]: {}, [B]: {}, [C]: { eligible: false } });
  picks.push(pick(two!), pick(one!));
  two!.apply({ [A]: {}, [B]: {}, [C]: { eligible: false } });
  const after = Array.from({ length: 100 }, (_, i) => pick(i % 3 === 0 ? one! : two!));
  t.notOk(after.includes(C));
  t.ok(Math.abs(after.filter(id => id === A).length - 50) <= 1);
});

void t.test('backups that stand by have turns of their own, in all workers', async t => {
  const reserve = { eligible: false, reserve: true };
  const specs = { [A]: {}, [B]: { eligible: false, reserve: true }, [C]: reserve, [STANDBY]: reserve };
  const [one, two] = workers(2, specs);
  const search = { hasTried: (backend: string) => backend === A, mayTry: () => true };
  const picks = Array.from({ length: 12 }, (_, i) => {
    const { upstream } = i % 2 === 0 ? one! : two!;
    upstream.picker.pick('192.0.2.1');
    const picked = upstream.picker.pickAgain('192.0.2.1', search, true);
    return typeof picked === 'string' ? picked : picked.backend.id;
  });
  for (let i = 0; i < 12; i += 3) t.same(picks.slice(i, i + 3).sort(), [B, C, STANDBY]);
});

void t.test('a backend that gets the slot of another one begins anew', async t => {
  const [one] = workers(1, { [A]: {}, [B]: {} });
  const { shared, slotOf } = one!;
  for (let i = 0; i < 9; i++) pick(one!);
  const slot = slotOf(B);
  shared.freeBackend('app', B);
  const numbers = new Float64Array(shared.turns.memory);
  t.ok(numbers.every((number, at) => at % 16 !== slot || number === 0));
  t.ok(
    numbers.some(number => number > 0),
    'and nobody else does',
  );
});

void t.test('threads that pick as fast as they can: every share is exact', async t => {
  // One more than whole rounds: threads that took turns each for itself would all give it to the same backend.
  const [THREADS, PICKS, WEIGHTS] = [3, 8_001, [5, 2, 1]];
  const control = new ControlledState({ workers: THREADS, slots: 16 });
  const upstream = control.configureUpstream('app', { takesTurns: true }).memory;
  const threads = Array.from({ length: THREADS }, (_, index) => {
    const workerData: ThreadStart = {
      index,
      memory: control.memory,
      upstream,
      weights: WEIGHTS,
      picks: PICKS,
    };
    return new Worker(new URL('./shared-turns-thread.js', import.meta.url), { workerData, execArgv: [] });
  });
  await Promise.all(threads.map(thread => once(thread, 'message')));
  const tallies = threads.map(async thread => {
    thread.postMessage('go');
    const [counts]: unknown[] = await once(thread, 'message');
    // What shared-turns-thread.ts posts.
    return counts as Record<string, number>;
  });
  const total: Record<string, number> = {};
  for (const counts of await Promise.all(tallies)) {
    for (const [id, count] of Object.entries(counts)) total[id] = (total[id] ?? 0) + count;
  }
  WEIGHTS.forEach((weight, i) => {
    const count = total[`b${i}`] ?? 0;
    t.ok(Math.abs(count - (THREADS * PICKS * weight) / 8) < 1, `b${i}: ${count}`);
  });
});
