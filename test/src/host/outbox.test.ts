import t from 'tap';
import type { SessionRecord } from '../../../src/model/session-record.ts';
import type { DataEvent } from '../../../src/model/data-event.ts';
import { Outbox } from '../../../src/host/outbox.ts';

/** With as many workers, each has the least share: 256 events. */
const WORKERS = 64;
const LIMIT = 256;

const RECORD: SessionRecord = {
  ...{ id: '1', listener: 'web', upstream: 'app', clientAddress: '127.0.0.1', clientPort: 1, backend: 'b:1' },
  ...{
    attempts: 1,
    warm: false,
    reused: false,
    startedAtMs: 0,
    durationMs: 1,
    queuedMs: undefined,
    localAddress: '127.0.0.1:80',
    sourceAddress: '127.0.0.1:2',
    tried: ['b:1'],
    firstByteMs: 1,
    connectMs: 1,
  },
  ...{ bytesFromClient: 0, bytesFromBackend: 0, by: 'client', phase: 'relay', reason: 'closed' },
};
const closed: DataEvent = { kind: 'sessionClosed', record: RECORD };
const paused: DataEvent = { kind: 'listenerPaused', listener: 'web', reason: 'listenerLimit' };
const resumed: DataEvent = { kind: 'listenerResumed', listener: 'web' };
const failing: DataEvent = { kind: 'backendFailing', upstream: 'app', backend: 'b:1', cause: 'connect' };
const refused: DataEvent = {
  ...{ kind: 'connectFailed', upstream: 'app', backend: 'b:1', times: 1 },
  failure: { reason: 'refused', code: 'ECONNREFUSED' },
};

function create() {
  const sent: DataEvent[][] = [];
  const turns: (() => void)[] = [];
  const control = { taken: 0 };
  const outbox = new Outbox(WORKERS, {
    send: events => sent.push([...events]),
    taken: () => control.taken,
    afterTurn: callback => turns.push(callback),
  });
  return {
    ...{ outbox, sent, control },
    endTurn: () => turns.splice(0).forEach(callback => callback()),
    /** Control has stopped taking anything. */
    fill: () => {
      for (let i = 0; i < LIMIT; i++) outbox.report(closed);
      turns.splice(0).forEach(callback => callback());
      for (let i = 0; i < LIMIT; i++) outbox.report(closed);
      turns.splice(0).forEach(callback => callback());
      t.equal(sent.splice(0).flat().length, LIMIT);
    },
  };
}

void t.test('while control keeps up, every event goes out as it is, one message a turn', async t => {
  const { outbox, sent, control, endTurn } = create();
  for (let turn = 0; turn < 10; turn++) {
    const events = [
      refused,
      paused,
      closed,
      refused,
      failing,
      failing,
      resumed,
      ...Array<DataEvent>(200).fill(closed),
    ];
    for (const event of events) outbox.report(event);
    t.equal(sent.length, turn);
    endTurn();
    t.same(sent.at(-1), events);
    control.taken += events.length;
  }
});

void t.test(
  'when control does not, sessions beyond the limit are counted, and told when it does again',
  async t => {
    const { outbox, sent, control, endTurn, fill } = create();
    fill();
    for (let i = 0; i < 1_000; i++) outbox.report(closed);
    endTurn();
    outbox.flush();
    t.same(sent, [], 'nothing goes out meanwhile');
    control.taken = LIMIT;
    outbox.flush();
    t.equal(sent.length, 1);
    t.equal(sent[0]?.length, LIMIT + 1);
    t.same(sent[0]?.at(-1), { kind: 'unrecorded', sessions: 1_000 });
  },
);

void t.test(
  'what control decides by is never lost, and never more than one event for each thing',
  async t => {
    const { outbox, sent, control, fill } = create();
    fill();
    for (let i = 0; i < 10_000; i++) {
      outbox.report(paused);
      outbox.report(refused);
      outbox.report(failing);
      outbox.report({ kind: 'queueing', upstream: 'app', isQueueing: i % 2 === 0 });
      outbox.report({
        kind: 'trialEnded',
        upstream: 'app',
        backend: 'b:1',
        failure: i === 9_999 ? 'refused' : undefined,
      });
      outbox.report({ kind: 'turnedAway', listener: 'web', times: 1 });
      outbox.report({ kind: 'strategyFailed', upstream: 'app', reason: `words ${i}`, times: 1 });
      outbox.report(resumed);
    }
    control.taken = LIMIT;
    outbox.flush();
    t.same(sent[0]?.slice(LIMIT), [
      resumed,
      { ...refused, times: 10_000 },
      failing,
      { kind: 'queueing', upstream: 'app', isQueueing: false },
      { kind: 'trialEnded', upstream: 'app', backend: 'b:1', failure: 'refused' },
      { kind: 'turnedAway', listener: 'web', times: 10_000 },
      { kind: 'strategyFailed', upstream: 'app', reason: 'words 9999', times: 10_000 },
    ]);
  },
);

void t.test('a worker that ends or is asked sends what it has, whatever control does', async t => {
  const { outbox, sent, fill } = create();
  fill();
  outbox.report(failing);
  outbox.flushAll();
  t.equal(sent[0]?.length, LIMIT + 1);
});

void t.test('sessions of which nobody wants a record are counted', async t => {
  const { outbox, sent } = create();
  outbox.report({ kind: 'unrecorded', sessions: 1 });
  outbox.report({ kind: 'unrecorded', sessions: 1 });
  outbox.flush();
  t.same(sent, [[{ kind: 'unrecorded', sessions: 2 }]]);
});
