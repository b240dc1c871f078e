import t from 'tap';
import { moveGradually } from '../../../../src/data/session/gradual-moves.ts';

class FakeSession {
  readonly upstream: string;
  isConnecting: boolean;
  moves = 0;

  constructor({ upstream = 'app', isConnecting = true } = {}) {
    this.upstream = upstream;
    this.isConnecting = isConnecting;
  }

  moveOn(): void {
    this.moves += 1;
  }
}

const turn = () => new Promise(resolve => setImmediate(resolve));
const moved = (sessions: readonly FakeSession[]) => sessions.filter(({ moves }) => moves === 1).length;

void t.test('the sessions of an upstream that connect move on, a hundred per turn', async t => {
  const sessions = Array.from({ length: 250 }, () => new FakeSession());
  const others = [new FakeSession({ upstream: 'other' }), new FakeSession({ isConnecting: false })];
  moveGradually('app', [...others, ...sessions]);
  t.equal(moved(sessions), 100);
  await turn();
  t.equal(moved(sessions), 200);
  await turn();
  await turn();
  t.equal(moved(sessions), 250);
  t.equal(moved(others), 0);
});
