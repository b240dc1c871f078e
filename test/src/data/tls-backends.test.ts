/** Connections to backends over TLS: what each is asked for, and what of it is one session's alone. */
import t from 'tap';
import { parseProxyHeader } from '../../../src/codec/proxy-protocol/index.ts';
import { DataPlane } from '../../../src/data/data-plane.ts';
import { DeadlineWheel } from '../../../src/data/session/deadline-wheel.ts';
import type { DataEvent } from '../../../src/model/data-event.ts';
import type { ListenerPlan } from '../../../src/model/listener-plan.ts';
import type { UpstreamPlan } from '../../../src/model/upstream-plan.ts';
import { ControlledState } from '../../../src/shared-memory/shared-state.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { FakeEngine } from '../../harness/fake-engine.ts';
import { clientSettings, FakeTls, serverSettings } from '../../harness/fake-tls.ts';
import { backendPlan, listenerPlan, upstreamPlan } from '../../harness/plans.ts';

const ADDRESS = { kind: 'tcp', host: '192.0.2.9', port: 80 } as const;
const NAMED = 'db.example:5432';

interface Given {
  readonly listener?: Partial<ListenerPlan>;
  readonly backend?: string;
  readonly tls?: FakeTls | undefined;
}

/** One backend, and a listener whose clients reach it. */
async function start(plan: Partial<UpstreamPlan>, given: Given = {}) {
  const { listener = {}, backend = NAMED } = given;
  const tls = 'tls' in given ? given.tls : new FakeTls();
  const engine = new FakeEngine(tls);
  const clock = new FakeClock();
  const shared = new ControlledState({ slots: 16 });
  const events: DataEvent[] = [];
  const now = (): number => clock.now();
  const data = new DataPlane({
    ...{ engine, shared, now, wallClock: now, setTimer: clock.setTimer },
    ledger: { sessionsEver: 0, sessionsAborted: 0 },
    wheel: new DeadlineWheel(now),
    slot: shared.slotOfInstance(),
    random: () => 0.5,
    report: event => events.push(event),
  });
  const { index, tag } = shared.slotOfBackend('app', backend);
  const configure = (changed: Partial<UpstreamPlan>): void => {
    const backends = [backendPlan(backend, index, { tag, addresses: [ADDRESS] })];
    data.apply({ kind: 'upstream', upstream: upstreamPlan('app', { backends, ...changed }, shared) });
  };
  configure(plan);
  const bind = [{ key: 'a', where: ADDRESS }];
  const listeners = [listenerPlan('web', { slot: shared.slotOfListener('web'), bind, ...listener })];
  data.apply({
    kind: 'listeners',
    upstreams: [],
    listeners: { limits: { maxSessions: Infinity }, slot: shared.slotOfInstance(), listeners },
  });
  await data.settled();
  const connect = () => engine.listeners[0]!.client('192.0.2.1');
  /** What the last connect asked for. */
  const asked = () => engine.connects.at(-1)?.tls;
  return { data, engine, tls, clock, configure, connect, asked, events };
}

void t.test('a connect has the terms of its plan, and the name of its backend', async t => {
  const { connect, asked, tls, configure } = await start({ tls: clientSettings({ starttls: 'postgres' }) });
  connect();
  t.match(asked(), { serverName: 'db.example', preface: undefined, alpn: undefined });
  t.equal(asked()?.terms, tls?.clientTermsMade[0]);
  t.ok(asked()?.opening?.request, 'and says first what its protocol has before TLS');
  configure({ tls: clientSettings({ starttls: 'postgres' }) });
  connect();
  t.equal(asked()?.terms, tls?.clientTermsMade[0], 'the same settings in a later plan');
  configure({ tls: clientSettings({ verify: false }) });
  connect();
  t.same(
    [asked()?.terms.settings.verify, asked()?.opening, tls?.clientTermsMade.length],
    [false, undefined, 2],
  );
  configure({});
  connect();
  t.equal(asked(), undefined, 'without TLS');
});

void t.test('a backend that is an address has no name', async t => {
  for (const backend of ['192.0.2.9:80', '[2001:db8::1]:80', 'unix:/run/app.sock']) {
    const { connect, asked } = await start({ tls: clientSettings() }, { backend });
    connect();
    t.ok(asked()?.terms);
    t.equal(asked()?.serverName, undefined, backend);
  }
});

void t.test('a header of the PROXY protocol goes out before TLS, and not again within it', async t => {
  const sendProxy = { version: 'v2', tlvs: [] } as const;
  const pool = { warm: 2, maxIdle: 5_000, reuse: false };
  const { connect, asked, engine } = await start({ tls: clientSettings(), sendProxy, pool });
  t.equal(engine.connects.length, 0, 'nothing is made ahead: a header names a client');
  connect();
  const parsed = parseProxyHeader(asked()?.preface ?? new Uint8Array());
  t.match(parsed, { kind: 'header', header: { addresses: { source: { address: '192.0.2.1' } } } });
  engine.connects[0]?.succeed();
  t.equal(engine.relays[0]?.options.preface, undefined);
  engine.relays[0]?.end({ by: 'client', reason: 'closed' });
  t.equal(engine.connects.length, 1);
});

void t.test('each attempt begins with the header of its session', async t => {
  const { connect, asked, engine, clock } = await start({
    ...{ tls: clientSettings(), sendProxy: { version: 'v1', tlvs: [] } },
    connect: {
      ...{ timeout: 5_000, retriesPerBackend: 1, retryDelay: 10, rounds: 1, backoff: 100, deadline: 0 },
      retryBudget: { percent: 100, minPerSecond: 10 },
    },
  });
  connect();
  const first = asked()?.preface;
  engine.connects[0]?.fail('reset');
  clock.advance(10);
  t.equal(engine.connects.length, 2);
  t.same(asked()?.preface, first);
});

void t.test('in the clear the header is the relay’s, as before', async t => {
  const { connect, engine } = await start({ sendProxy: { version: 'v1', tlvs: [] } });
  connect();
  engine.connects[0]?.succeed();
  t.match(String(Buffer.from(engine.relays[0]?.options.preface ?? [])), /^PROXY TCP4 192\.0\.2\.1 /);
});

const ENDS_TLS = { listener: { tls: serverSettings({ alpn: ['h2'] }) } };

void t.test('a backend is offered what the client has agreed on, unless its upstream has a list', async t => {
  const offered = async (plan: Partial<UpstreamPlan>, alpn: string | undefined) => {
    const { connect, asked, tls } = await start(plan, ENDS_TLS);
    connect();
    tls?.handshakes[0]?.succeed({ alpn });
    return asked()?.alpn;
  };
  t.same(await offered({ tls: clientSettings() }, 'h2'), ['h2']);
  t.equal(await offered({ tls: clientSettings() }, undefined), undefined);
  t.equal(await offered({ tls: clientSettings({ alpn: ['http/1.1'] }) }, 'h2'), undefined);
  const pool = { warm: 1, maxIdle: 5_000, reuse: false };
  t.equal(await offered({ tls: clientSettings(), pool }, 'h2'), undefined, 'all of a pool are alike');
});

void t.test('spares have their handshake behind them, and go when the terms are others', async t => {
  const pool = { warm: 1, maxIdle: 5_000, reuse: false };
  const { engine, configure, connect, asked } = await start({ tls: clientSettings(), pool });
  t.equal(engine.connects.length, 1);
  t.match(asked(), { serverName: 'db.example' });
  const spare = engine.connects[0]?.succeed();
  configure({ tls: clientSettings(), pool });
  t.notOk(spare?.calls.includes('reset'));
  configure({ tls: clientSettings({ serverName: 'other.example' }), pool });
  t.ok(spare?.calls.includes('reset'));
  t.equal(asked()?.terms.settings.serverName, 'other.example', 'another spare');
  connect();
  t.equal(engine.relays.length, 0, 'no session gets the old one');
});

void t.test(
  'an engine without TLS connects to no backend that wants it, neither ahead nor in the clear',
  async t => {
    const ahead = await start(
      { tls: clientSettings(), pool: { warm: 1, maxIdle: 5_000, reuse: false } },
      { tls: undefined },
    );
    await ahead.clock.advanceAndSettle(60_000);
    t.equal(ahead.engine.connects.length, 0);
    const { engine, connect, events } = await start({ tls: clientSettings() }, { tls: undefined });
    connect();
    t.equal(engine.connects.length, 0);
    const failed = events.filter(({ kind }) => kind === 'connectFailed');
    t.match(failed, [{ failure: { reason: 'localResources', code: 'ENGINE_WITHOUT_TLS' } }]);
  },
);
