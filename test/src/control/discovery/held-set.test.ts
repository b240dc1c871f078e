import t from 'tap';
import { HeldSet } from '../../../../src/control/discovery/held-set.ts';
import { parseBackend } from '../../../../src/config/source/parse.ts';
import type { BackendConfig } from '../../../../src/config/schema/schema.ts';

const backend = (id: string): BackendConfig => {
  const parsed = parseBackend(`${id}:80`);
  if (!parsed.ok) throw new Error(id);
  return parsed.backend;
};
const A = backend('a');
const B = backend('b');
const sorted = (set: HeldSet): string =>
  [...set.backends()]
    .map(({ id }) => id.slice(0, 1))
    .sort()
    .join('');
const ids = (set: HeldSet): string => [...set.backends()].map(({ id }) => id.slice(0, 1)).join('');

void t.test('a backend that is missing goes at once, and one that is there counts at once', t => {
  const set = new HeldSet();
  set.take([A], 0);
  t.equal(ids(set), 'a');
  set.take([B], 1_000);
  t.equal(set.expire(1_000), undefined);
  t.equal(ids(set), 'b');
  t.end();
});

void t.test('a source that swaps between two answers has both together after its first swap', t => {
  const set = new HeldSet();
  const seen: string[] = [];
  for (let nowMs = 0; nowMs < 10_000; nowMs += 100) {
    set.take((nowMs / 100) % 2 === 0 ? [A] : [B], nowMs);
    set.expire(nowMs);
    const now = sorted(set);
    if (seen.at(-1) !== now) seen.push(now);
  }
  t.same(seen, ['a', 'b', 'a', 'ab'], 'three changes in a hundred answers');
  t.end();
});

void t.test('one that had come back has to be missing for longer, at most for half a minute', t => {
  const set = new HeldSet();
  set.take([A, B], 0);
  const holds: number[] = [];
  let nowMs = 0;
  for (let i = 0; i < 8; i++) {
    set.take([A], nowMs);
    const goesMs = set.expire(nowMs);
    holds.push((goesMs ?? nowMs) - nowMs);
    t.equal(ids(set), goesMs === undefined ? 'a' : 'ab');
    nowMs = goesMs ?? nowMs;
    set.expire(nowMs);
    t.equal(ids(set), 'a');
    set.take([A, B], ++nowMs);
    nowMs++;
  }
  t.same(holds, [0, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  t.end();
});

void t.test('after a minute without leaving, a backend goes at once again', t => {
  const set = new HeldSet();
  for (const [nowMs, backends] of [
    [0, [A, B]],
    [1, [A]],
    [2, [A, B]],
    [60_002, [A, B]],
    [60_003, [A]],
  ] as const) {
    set.take(backends, nowMs);
    set.expire(nowMs);
  }
  t.equal(ids(set), 'a');
  t.end();
});

void t.test('backends that come and never come back are not remembered for ever', t => {
  const set = new HeldSet();
  for (let i = 0; i < 50_000; i++) set.take([{ ...A, id: `x${i}` }], i);
  t.equal([...set.backends()].length, 1);
  t.ok(set.remembered <= 20_001, `${set.remembered}`);
  set.take([], 200_000);
  t.ok(set.remembered <= 1, 'and not for longer than a minute');
  t.end();
});
