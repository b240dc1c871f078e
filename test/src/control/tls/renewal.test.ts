/** When changed files of certificates are looked at, and what is reported of them. */
import t from 'tap';
import type { ConfigIssue } from '../../../../src/config/report/issue.ts';
import { Renewal } from '../../../../src/control/tls/renewal.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';
import '../../../harness/run-once.ts';

const ISSUE: ConfigIssue = { path: [], kind: 'value', expected: 'a', got: 'b', message: 'bad' };

function watched() {
  const clock = new FakeClock();
  const callbacks = new Map<string, () => void>();
  const state = {
    issues: [] as ConfigIssue[],
    looks: 0,
    refused: [] as string[],
    failed: [] as string[],
    error: '',
  };
  const renewal = new Renewal({
    setTimer: clock.setTimer,
    now: () => clock.now(),
    watch: (file, onChanged) => {
      callbacks.set(file, onChanged);
      return () => callbacks.delete(file);
    },
    renew: () => {
      state.looks++;
      return state.error === '' ? Promise.resolve(state.issues) : Promise.reject(new Error(state.error));
    },
    onRefused: issues => state.refused.push(...issues.map(({ message }) => message)),
    onFailed: reason => state.failed.push(reason),
  });
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(100);
      await new Promise(resolve => setImmediate(resolve));
    }
  };
  return { renewal, callbacks, state, pass, change: (file: string) => callbacks.get(file)?.() };
}

void t.test('files that change together are one look', async t => {
  const { renewal, state, pass, change } = watched();
  renewal.follow(new Set(['c', 'k']));
  await pass(2_000);
  t.equal(state.looks, 1, 'once after the watch has begun');
  change('c');
  change('k');
  await pass(1_000);
  t.equal(state.looks, 2);
  await pass(60_000);
  t.equal(state.looks, 2);
});

void t.test('a pair that does not match for a moment is not reported', async t => {
  const { renewal, state, pass, change } = watched();
  renewal.follow(new Set(['c', 'k']));
  state.issues = [ISSUE];
  change('c');
  await pass(5_000);
  t.ok(state.looks > 3);
  t.same(state.refused, []);
  state.issues = [];
  await pass(60_000);
  t.same(state.refused, []);
});

void t.test('one that stays wrong is reported once for each change', async t => {
  const { renewal, state, pass, change } = watched();
  renewal.follow(new Set(['c']));
  state.issues = [ISSUE];
  change('c');
  await pass(9_000);
  t.same(state.refused, []);
  await pass(3_000);
  t.same(state.refused, ['bad']);
  const { looks } = state;
  await pass(60_000);
  t.same(state.refused, ['bad']);
  t.equal(state.looks, looks);
  change('c');
  await pass(12_000);
  t.same(state.refused, ['bad', 'bad']);
});

void t.test('a renewal that fails is reported, and the next one works', async t => {
  const { renewal, state, pass, change } = watched();
  renewal.follow(new Set(['c']));
  await pass(2_000);
  state.error = 'no memory';
  change('c');
  await pass(500);
  t.same(state.failed, ['no memory']);
  state.error = '';
  const { looks } = state;
  change('c');
  await pass(500);
  t.equal(state.looks, looks + 1);
});

void t.test('files that are not in use any more are not watched, and nothing runs on after stop', async t => {
  const { renewal, callbacks, state, pass } = watched();
  renewal.follow(new Set(['a', 'b']));
  renewal.follow(new Set(['b', 'c']));
  t.same([...callbacks.keys()], ['b', 'c']);
  renewal.stop();
  t.equal(callbacks.size, 0);
  await pass(5_000);
  t.equal(state.looks, 0);
});
