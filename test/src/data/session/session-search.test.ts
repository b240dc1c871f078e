import t from 'tap';
import { endSessions, findSessions, type Searched } from '../../../../src/data/session/session-search.ts';
import type { SessionView } from '../../../../src/model/session-view.ts';
import type { Termination } from '../../../../src/model/termination.ts';

class FakeSession implements Searched {
  readonly id: string;
  views = 0;
  readonly ends: Termination[] = [];
  readonly #hasEnded: boolean;

  constructor(number: number, hasEnded = false) {
    this.id = `s${number}`;
    this.#hasEnded = hasEnded;
  }

  view(): SessionView {
    this.views++;
    return {
      ...{ id: this.id, listener: 'web', upstream: 'app', backend: undefined, phase: 'relay' },
      ...{
        clientAddress: '192.0.2.7',
        clientPort: 1,
        startedAtMs: 0,
        bytesFromClient: 0,
        bytesFromBackend: 0,
      },
    };
  }

  abort(termination: Termination): boolean {
    this.ends.push(termination);
    return !this.#hasEnded;
  }
}

const many = (count: number): FakeSession[] => Array.from({ length: count }, (_, n) => new FakeSession(n));

void t.test('one session is found by its id, without a look at the others', t => {
  const sessions = many(5);
  t.same(
    findSessions(sessions, { id: 's3', limit: 10 }).map(({ view }) => view.id),
    ['s3'],
  );
  t.same(
    sessions.map(({ views }) => views),
    [0, 0, 0, 1, 0],
  );
  t.end();
});

void t.test('no more are found than the limit says, and none that does not match', t => {
  const sessions = many(5);
  t.equal(findSessions(sessions, { limit: 2 }).length, 2);
  t.equal(sessions[2]?.views, 0);
  t.equal(findSessions(sessions, { upstream: 'other', limit: 2 }).length, 0);
  t.end();
});

void t.test('what matches is reset a hundred per turn, and only what had not ended is counted', async t => {
  const sessions = [...many(250), new FakeSession(250, true)];
  let turns = 0;
  const count = (): void => {
    turns++;
    if (sessions.at(-1)?.ends.length === 0) setImmediate(count);
  };
  setImmediate(count);
  t.equal(await endSessions(sessions, { limit: 1_000 }), 250);
  t.ok(turns >= 2, `${turns}`);
  t.same(sessions[0]?.ends, [{ by: 'balancer', phase: 'relay', reason: 'operator' }]);
  t.equal(await endSessions([], { limit: 1_000 }), 0);
});
