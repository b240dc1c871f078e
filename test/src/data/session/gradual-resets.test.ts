import t from 'tap';
import { GradualResets } from '../../../../src/data/session/gradual-resets.ts';
import type { Termination } from '../../../../src/model/termination.ts';
import { backendPlan, upstreamPlan } from '../../../harness/plans.ts';
import type { BackendPlan, UpstreamPlan } from '../../../../src/model/upstream-plan.ts';

const A = '10.0.0.1:80';
const B = '10.0.0.2:80';

class FakeSession {
  readonly ends: Termination[] = [];
  readonly upstream: string;
  servedBy: string | undefined;

  constructor(servedBy: string | undefined, upstream = 'app') {
    this.servedBy = servedBy;
    this.upstream = upstream;
  }

  abort(termination: Termination): void {
    this.ends.push(termination);
    this.servedBy = undefined;
  }
}

function planOf(reset: readonly string[]): UpstreamPlan {
  const backends = [A, B].map((id, slot) =>
    backendPlan(id, slot, {
      eligible: !reset.includes(id),
      well: !reset.includes(id),
      resetSessions: reset.includes(id),
    }),
  );
  return upstreamPlan('app', { backends });
}

const turn = () => new Promise(resolve => setImmediate(resolve));
const ended = (sessions: readonly FakeSession[]) => sessions.filter(({ ends }) => ends.length > 0).length;

void t.test('the sessions of a backend that is to have none are reset, a hundred per turn', async t => {
  const resets = new GradualResets();
  const sessions = Array.from({ length: 250 }, () => new FakeSession(A));
  const others = [new FakeSession(B), new FakeSession(undefined), new FakeSession(A, 'other')];
  resets.apply(planOf([A]), [...sessions, ...others]);
  t.equal(ended(sessions), 100);
  await turn();
  t.equal(ended(sessions), 200);
  await turn();
  t.equal(ended(sessions), 250);
  t.match(sessions[0]?.ends, [{ by: 'balancer', phase: 'relay', reason: 'backendDown' }]);
  t.equal(ended(others), 0);
});

void t.test('a backend that is back in time keeps the sessions it still has', async t => {
  const resets = new GradualResets();
  const sessions = Array.from({ length: 250 }, () => new FakeSession(A));
  resets.apply(planOf([A]), sessions);
  resets.apply(planOf([]), sessions);
  await turn();
  await turn();
  t.equal(ended(sessions), 100);
});

void t.test('a session that has moved to another backend meanwhile is left alone', async t => {
  const resets = new GradualResets();
  const sessions = Array.from({ length: 101 }, () => new FakeSession(A));
  resets.apply(planOf([A]), sessions);
  const moved = sessions.find(({ ends }) => ends.length === 0);
  if (moved !== undefined) moved.servedBy = B;
  await turn();
  t.equal(ended(sessions), 100);
});

void t.test('sessions are looked through once per change, not with every snapshot', async t => {
  const resets = new GradualResets();
  resets.apply(planOf([A]), []);
  const late = new FakeSession(A);
  resets.apply(planOf([A]), [late]);
  t.equal(late.ends.length, 0);
  resets.apply(planOf([A, B]), [late]);
  t.equal(late.ends.length, 1);
});

void t.test(
  'the sessions of a backup are reset when it is left, and those that begin later are not',
  async t => {
    const plan = (backups: Partial<BackendPlan>, primary: Partial<BackendPlan> = {}): UpstreamPlan =>
      upstreamPlan('app', { backends: [backendPlan(A, 0, primary), backendPlan(B, 1, backups)] });
    const resets = new GradualResets();
    const sessions = Array.from({ length: 101 }, () => new FakeSession(B));
    const others = [new FakeSession(A), new FakeSession(B, 'other')];
    resets.apply(plan({}), [...sessions, ...others]);
    t.equal(ended(sessions), 0);
    resets.apply(plan({ isLeft: true }), [...sessions, ...others]);
    await turn();
    t.equal(ended(sessions), 101);
    t.equal(ended(others), 0);
    t.match(sessions[0]?.ends, [{ by: 'balancer', phase: 'relay', reason: 'primaryBack' }]);

    const later = [new FakeSession(B), new FakeSession(A)];
    resets.apply(plan({ isLeft: true }), later);
    resets.apply(plan({ isLeft: true }, { resetSessions: true }), later);
    t.equal(later[0]?.ends.length, 0, 'also when another backend goes down');
    t.match(later[1]?.ends, [{ reason: 'backendDown' }]);
    resets.apply(plan({ isLeft: true, resetSessions: true }), later);
    t.match(later[0]?.ends, [{ reason: 'backendDown' }], 'but when it goes down itself');
  },
);
