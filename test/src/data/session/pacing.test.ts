/** Which sessions are paced, and by what, as plans change. */
import t from 'tap';
import { Pacing, repaceGradually } from '../../../../src/data/session/pacing.ts';
import { repace } from '../../../../src/data/session/bandwidth.ts';
import type { ListenerLimits } from '../../../../src/model/listener-plan.ts';
import { ByteTimes } from '../../../../src/shared-memory/byte-times.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';
import { FakeConnection, FakeRelay } from '../../../harness/fake-engine.ts';
import { until } from '../../../harness/until.ts';

const MIB = 2 ** 20;

function create() {
  const clock = new FakeClock(1_000);
  const times = new ByteTimes(ByteTimes.allocate(4));
  const pacing = new Pacing(times, clock.now, clock.setTimer, () => 86_400_000 + clock.now());
  let waitedSeconds = 0;
  const cells = {
    add: (_: unknown, series: number, by: number) => void (waitedSeconds += series === 0 ? by : 0),
  };
  const bandwidthOf = (limits: ListenerLimits, before?: ReturnType<Pacing['bandwidthOf']>) =>
    pacing.bandwidthOf({ limits, slot: 2 }, cells, before);
  const relay = new FakeRelay(new FakeConnection(), {
    onHalfClosed: () => undefined,
    onEnd: () => undefined,
  });
  return { clock, bandwidthOf, relay, waitedSeconds: () => waitedSeconds };
}

void t.test('a listener without limits of bandwidth has none, and nothing is made for it', async t => {
  const { bandwidthOf, clock } = create();
  t.equal(bandwidthOf({}), undefined);
  t.equal(bandwidthOf({ maxSessions: 5, perSession: {} }), undefined);
  t.equal(clock.pending, 0);
});

void t.test('each direction that is limited has a pace', async t => {
  const { bandwidthOf, relay } = create();
  bandwidthOf({ bandwidth: { fromBackend: MIB } })?.begin(relay);
  bandwidthOf({ perSession: { bandwidth: { fromClient: MIB } } })?.begin(relay);
  t.same(
    relay.paces.map(({ fromClient, fromBackend }) => [fromClient !== undefined, fromBackend !== undefined]),
    [
      [false, true],
      [true, false],
    ],
  );
});

void t.test('bytes that came before the relay count', async t => {
  const { bandwidthOf, relay } = create();
  relay.bytesFromClient = MIB;
  bandwidthOf({ perSession: { bandwidth: { fromClient: MIB, fromBackend: MIB } } })?.begin(relay);
  const [paces] = relay.paces;
  paces?.fromClient?.begin(() => undefined);
  t.equal(paces?.fromClient?.ask(), 0);
  t.not(paces?.fromBackend?.ask(), 0);
  paces?.fromClient?.end();
});

void t.test('a plan with the same limits keeps the bandwidth; another one or none does not', async t => {
  const { bandwidthOf } = create();
  const first = bandwidthOf({ bandwidth: { fromClient: MIB, fromBackend: MIB } });
  t.equal(bandwidthOf({ bandwidth: { fromClient: MIB, fromBackend: MIB }, maxSessions: 7 }, first), first);
  t.not(bandwidthOf({ bandwidth: { fromClient: 2 * MIB, fromBackend: MIB } }, first), first);
  t.not(bandwidthOf({ bandwidth: { fromClient: MIB } }, first), first);
  t.equal(bandwidthOf({}, first), undefined);
});

void t.test('what waits is woken by the timers of its data plane, and then nothing ticks', async t => {
  const { bandwidthOf, clock, relay, waitedSeconds } = create();
  bandwidthOf({ bandwidth: { fromClient: MIB } })?.begin(relay);
  const pace = relay.paces[0]?.fromClient;
  let woken = 0;
  pace?.begin(() => woken++);
  let moved = 0;
  for (let bytes = pace?.ask() ?? 0; bytes > 0; bytes = pace?.ask() ?? 0) {
    moved += bytes;
    pace?.took(bytes, true);
  }
  t.ok(moved >= (MIB * 50) / 1000, 'a burst goes at once');
  t.equal(woken, 0);
  clock.advance(10);
  t.equal(woken, 1);
  t.ok(waitedSeconds() > 0 && waitedSeconds() <= 0.01, `its wait is counted: ${waitedSeconds()} s`);
  t.equal(clock.pending, 0);
});

void t.test('a relay that runs is paced anew, or no more', async t => {
  const { bandwidthOf, relay } = create();
  repace(relay, bandwidthOf({ bandwidth: { fromClient: MIB } }));
  repace(relay, undefined);
  t.ok(relay.paces[0]?.fromClient);
  t.same(relay.paces[1], { fromClient: undefined, fromBackend: undefined });
});

void t.test('all sessions of a front are paced anew, a batch per turn, and no others', async t => {
  const [front, other] = [{}, {}];
  const paced: number[] = [];
  const sessions = Array.from({ length: 5_000 }, (_, i) => ({
    front: i % 2 === 0 ? front : other,
    repace: () => void paced.push(i),
  }));
  repaceGradually(front, sessions);
  t.ok(paced.length < 2_500, 'not all at once');
  await until('all have been', () => paced.length === 2_500);
  t.ok(paced.every(i => i % 2 === 0));
});
