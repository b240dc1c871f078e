import t from 'tap';
import { EVENT_NAMES, Events } from '../../../src/model/events.ts';
import { logSessions } from '../../../src/observe/access-log.ts';
import type { EventSource } from '../../../src/observe/event-source.ts';
import { logEvents } from '../../../src/observe/log-events.ts';
import { createLog, type LogFormat, type LogLevel } from '../../../src/observe/log.ts';
import { keepLines, UNTIMED } from '../../harness/log-lines.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

function create(format: LogFormat, level: LogLevel = 'info') {
  const { lines, written } = keepLines();
  return { log: createLog({ level, format, lines }), written };
}

/** Over a clock that the test moves. */
function timed(format: LogFormat, level: LogLevel = 'info') {
  const time = new FakeClock();
  const events = new Events();
  const made = create(format, level);
  return { ...made, time, events, end: logEvents(events, made.log, time) };
}

const REFUSED = { upstream: 'app', reason: 'refused', code: 'ECONNREFUSED', times: 1 };

void t.test('a JSON line has time, level, a stable event, a message and its own fields', async t => {
  const { log, written } = create('json');
  log.write('warn', 'backendDown', 'backend x is down', { backend: 'x', upstream: 'app' });
  const [line = ''] = written;
  t.match(JSON.parse(line), {
    time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
    level: 'warn',
    event: 'backendDown',
    message: 'backend x is down',
    backend: 'x',
    upstream: 'app',
  });
});

void t.test('a text line has time, level and message', async t => {
  const { log, written } = create('text');
  log.write('info', 'listening', 'listener web accepts on 127.0.0.1:80', { listener: 'web' });
  t.match(written, [/^\d{4}-\S+Z info {2}listener web accepts on 127\.0\.0\.1:80$/]);
});

void t.test('what is below the level is not written', async t => {
  const { log, written } = create('text', 'warn');
  log.write('info', 'x', 'not this');
  log.write('error', 'x', 'but this');
  t.match(written, [/but this$/]);
});

void t.test('every change of state is one line', async t => {
  const { log, written } = create('text');
  const events = new Events();
  logEvents(events, log, UNTIMED);
  events.emit('listener:listening', { listener: 'web', address: '127.0.0.1:80', upstream: 'app' });
  events.emit('backend:down', { upstream: 'app', backend: 'b:1', reason: 'refused' });
  events.emit('backend:up', { upstream: 'app', backend: 'b:1', reason: '2 health checks passed' });
  events.emit('drain:delayed', { delayMs: 10_000 });
  events.emit('drain:started', { sessions: 3, timeoutMs: 30_000 });
  events.emit('drain:started', { sessions: 1, timeoutMs: 30_000 });
  events.emit('drain:ended', { aborted: 1 });
  t.match(written, [
    /listener web accepts on 127\.0\.0\.1:80, for upstream app$/,
    /warn {2}backend b:1 of app is down: refused$/,
    /backend b:1 of app is up after 0 ms: 2 health checks passed$/,
    /leaving: not ready any more, and still accepting clients for 10 s$/,
    /draining: no new clients, 3 sessions have 30 s to end$/,
    /draining: no new clients, 1 session has 30 s to end$/,
    /drained: every session has ended, 1 of them reset$/,
  ]);
});

void t.test('what happens to a backend is told so that one can act on it', async t => {
  const { log, written } = create('text');
  const events = new Events();
  logEvents(events, log, UNTIMED);
  const backend = { upstream: 'app', backend: 'b:1' };
  const reason = '5 connects in a row failed, the last: refused (ECONNREFUSED)';
  events.emit('backend:ejected', { ...backend, reason, forMs: 5_300, times: 1 });
  for (const times of [2, 3, 4, 11, 12, 21])
    events.emit('backend:ejected', { ...backend, reason, forMs: 60_000, times });
  events.emit('backend:ejected', { ...backend, reason, forMs: 250, times: 1 });
  events.emit('backend:trial', backend);
  events.emit('backend:restored', { ...backend, reason: 'a health check has passed' });
  events.emit('backend:stateSet', { ...backend, state: 'drain', by: 'operator' });
  events.emit('backend:stateSet', { ...backend, state: 'maint', by: 'agent' });
  events.emit('backend:stateSet', { ...backend, state: 'ready', by: 'operator' });
  events.emit('backend:shareSet', { ...backend, weight: 2, percent: 75, maxSessions: 30, by: 'agent' });
  events.emit('backend:shareSet', { ...backend, weight: 2, percent: 100, by: 'operator' });
  events.emit('backend:shareSet', { ...backend, weight: 4, percent: 100, by: 'configuration' });
  events.emit('backend:slowStart', { ...backend, forMs: 30_000 });
  events.emit('backend:slowStartEnded', backend);
  events.emit('backend:added', backend);
  events.emit('backend:removed', { ...backend, sessions: 1 });
  events.emit('backend:removed', { ...backend, sessions: 12 });
  const ejected = /warn {2}backend b:1 of app is ejected for /.source;
  t.match(written, [
    new RegExp(
      `${ejected}5\\.3 s \\(1st time\\): 5 connects in a row failed, the last: refused \\(ECONNREFUSED\\)$`,
    ),
    ...['2nd', '3rd', '4th', '11th', '12th', '21st'].map(
      nth => new RegExp(`${ejected}60 s \\(${nth} time\\): `),
    ),
    new RegExp(`${ejected}250 ms \\(1st time\\): `),
    /info {2}backend b:1 of app is on trial: its ejection is over, and the next session tries it$/,
    /info {2}backend b:1 of app is no longer ejected: a health check has passed$/,
    /backend b:1 of app is set to drain by an operator: it gets no new sessions$/,
    /backend b:1 of app is set to maint by its agent: it gets no new sessions and is not checked$/,
    /backend b:1 of app is set to ready by an operator: it may get sessions$/,
    /backend b:1 of app has a new share, set by its agent: weight 2, of which 75 % count, maxSessions 30$/,
    /backend b:1 of app has a new share, set by an operator: weight 2, no maxSessions$/,
    /backend b:1 of app has a new share, set by the configuration: weight 4, no maxSessions$/,
    /backend b:1 of app starts slowly: it has its whole share in 30 s$/,
    /backend b:1 of app has its whole share$/,
    /backend b:1 of app is added$/,
    /backend b:1 of app is removed: 1 session is left$/,
    /backend b:1 of app is removed: 12 sessions are left$/,
  ]);
});

void t.test('what happens to an upstream says who gets the sessions now', async t => {
  const { log, written } = create('text');
  const events = new Events();
  logEvents(events, log, UNTIMED);
  const upstream = 'app';
  events.emit('upstream:panic', { upstream, well: 1, of: 4 });
  events.emit('upstream:panicEnded', { upstream, well: 2, of: 4 });
  events.emit('upstream:panic', { upstream, well: 0, of: 1 });
  events.emit('upstream:backups', { upstream, backends: ['b:1'] });
  events.emit('upstream:backups', { upstream, backends: ['b:1', 'b:2'] });
  events.emit('upstream:backupsEnded', { upstream });
  events.emit('upstream:queueing', { upstream });
  events.emit('upstream:queueingEnded', { upstream, forMs: 34_500, longestMs: 1_234 });
  events.emit('upstream:down', { upstream });
  events.emit('upstream:up', { upstream });
  t.match(written, [
    /error upstream app panics: only 1 of 4 backends is well; health is ignored, and all backends get sessions$/,
    /info {2}upstream app panics no longer after 0 ms: 2 of 4 backends are well, and health counts again$/,
    /error upstream app panics: none of 1 backend is well; health is ignored/,
    /warn {2}upstream app has no other backend left: backup b:1 stands in$/,
    /warn {2}upstream app has no other backend left: 2 backups stand in$/,
    /info {2}upstream app needs its backups no longer after 0 ms$/,
    /warn {2}upstream app queues sessions: every backend, or the upstream as a whole, is at its maxSessions$/,
    /info {2}upstream app has room for every session again after 34\.5 s: the longest wait was 1\.2 s$/,
    /error upstream app has no backend left: clients are turned away$/,
    /info {2}upstream app has a backend again after 0 ms$/,
  ]);
});

void t.test('every event but those of single sessions has a line', async t => {
  const { log } = create('json');
  const heard = new Set<string>();
  logEvents(
    {
      on(name) {
        heard.add(name);
        return () => undefined;
      },
    },
    log,
    UNTIMED,
  );
  const silent = EVENT_NAMES.filter(name => !heard.has(name));
  t.same(silent, ['session:closed', 'session:unrecorded']);
});

void t.test('failed connects are held back per backend and reason, and none is left untold', async t => {
  const { written, time, events } = timed('json');
  const fail = (backend: string) => events.emit('backend:connectFailed', { ...REFUSED, backend });
  for (let i = 0; i < 1_000; i++) fail('b:1');
  fail('b:2');
  await time.advanceAndSettle(10_000);
  fail('b:1');
  await time.advanceAndSettle(30_000);
  fail('b:1');
  const told = written.map(line => JSON.parse(line) as Record<string, unknown>);
  t.match(told, [
    { event: 'connectFailed', backend: 'b:1', message: /b:1 of app: refused \(ECONNREFUSED\)$/ },
    { backend: 'b:2' },
    { backend: 'b:1', heldBack: 998, message: /\(998 more in 10 s\)$/ },
    { backend: 'b:1', message: /\(ECONNREFUSED\)$/ },
    { backend: 'b:1', message: /\(ECONNREFUSED\)$/ },
  ]);
  t.notOk('heldBack' in (told[0] ?? {}));
});

void t.test('at level debug nothing is held back', async t => {
  const { written, events } = timed('json', 'debug');
  for (let i = 0; i < 1_000; i++) events.emit('backend:connectFailed', { ...REFUSED, backend: 'b:1' });
  t.equal(written.length, 1_000);
});

void t.test('what is held back at the end is told then', async t => {
  const { written, events, end } = timed('text');
  for (let i = 0; i < 3; i++) events.emit('backend:connectFailed', { ...REFUSED, backend: 'b:1' });
  end();
  t.match(written, [/\(ECONNREFUSED\)$/, /\(1 more in 10 s\)$/]);
});

void t.test('refused clients are logged by listener and reason, and a dry run says that it is one', t => {
  const { written, events, end } = timed('text');
  const refused = { listener: 'web', reason: 'badProxyHeader', clientAddress: '192.0.2.1' } as const;
  events.emit('listener:refused', { ...refused, dryRun: false, times: 1 });
  events.emit('listener:refused', { ...refused, dryRun: true, times: 1 });
  events.emit('listener:refused', { ...refused, dryRun: false, times: 5 });
  events.emit('listener:refused', { ...refused, clientAddress: '', dryRun: false, times: 2 });
  end();
  t.match(written, [
    /warn +listener web refused 192\.0\.2\.1: badProxyHeader$/,
    /warn +listener web would have refused 192\.0\.2\.1: badProxyHeader$/,
    /warn +listener web refused a client: badProxyHeader \(6 more in 10 s\)$/,
  ]);
  t.end();
});

void t.test('a handshake that has failed is logged with the library’s own word for it', t => {
  const { written, events, end } = timed('text');
  const refused = { listener: 'web', clientAddress: '192.0.2.1', dryRun: false, times: 1 } as const;
  events.emit('listener:refused', { ...refused, reason: 'badCertificate', code: 'CERT_HAS_EXPIRED' });
  end();
  t.match(written, [/listener web refused 192\.0\.2\.1: badCertificate \(CERT_HAS_EXPIRED\)$/]);
  t.end();
});

void t.test('keys without number make a bounded number of entries', async t => {
  const { written, time, events } = timed('text');
  for (let i = 0; i < 100_000; i++) events.emit('backend:connectFailed', { ...REFUSED, backend: `b:${i}` });
  await time.advanceAndSettle(10_000);
  t.equal(written.length, 1_000 + 2);
  t.match(written.at(-1), /b:99999 .* \(98998 more in 10 s\)$/);
});

void t.test('a strategy that fails with other words each time is held back as well', async t => {
  const { written, time, events } = timed('text');
  for (let i = 0; i < 500; i++)
    events.emit('strategy:failed', { upstream: 'app', reason: `no luck, ${i}`, times: 1 });
  await time.advanceAndSettle(10_000);
  t.match(written, [/at random: no luck, 0$/, /at random: no luck, 499 \(498 more in 10 s\)$/]);
});

void t.test('an event that stands for several counts as several', async t => {
  const { written, time, events } = timed('json');
  events.emit('listener:turnedAway', { listener: 'web', times: 3 });
  events.emit('listener:turnedAway', { listener: 'web', times: 40 });
  await time.advanceAndSettle(10_000);
  t.match(
    written.map(line => JSON.parse(line) as unknown),
    [{ heldBack: 2 }, { heldBack: 39 }],
  );
});

void t.test(
  'an address that was made to stop listening is an error once, and its end is said when it lasts',
  async t => {
    const { written, time, events } = timed('text');
    const about = { listener: 'web', address: '192.0.2.1:80' };
    for (let worker = 0; worker < 2; worker++) {
      events.emit('listener:broken', about);
      events.emit('listener:mended', about);
      await time.advanceAndSettle(1_000);
    }
    t.match(written, [
      /error listener web was made to stop listening on 192\.0\.2\.1:80, and clients were refused: it is made to listen again$/,
    ]);
    await time.advanceAndSettle(2_000);
    t.match(written.splice(0).slice(1), [/info {2}listener web listens on 192\.0\.2\.1:80 again$/]);

    events.emit('listener:broken', { ...about, code: 'EADDRINUSE' });
    t.match(written, [/: it cannot listen again yet \(EADDRINUSE\)$/]);
  },
);

void t.test(
  'a listener that pauses and goes on at its limit is paused once, and its end says for how long',
  async t => {
    const { written, time, events } = timed('text');
    const listener = 'web';
    for (let i = 0; i < 100; i++) {
      events.emit('listener:paused', { listener, reason: 'listenerLimit', maxSessions: 2_000 });
      await time.advanceAndSettle(30);
      events.emit('listener:resumed', { listener });
      await time.advanceAndSettle(10);
    }
    t.match(written, [/warn {2}listener web paused: 2000 sessions, its limit; new clients wait$/]);
    await time.advanceAndSettle(1_000);
    t.match(written.slice(1), [
      /info {2}listener web takes clients again: some may have waited for up to 4 s$/,
    ]);
    events.emit('listener:paused', { listener, reason: 'instanceLimit', maxSessions: 1 });
    events.emit('listener:paused', { listener, reason: 'localResources' });
    events.emit('listener:resumed', { listener });
    await time.advanceAndSettle(1_000);
    t.match(written.slice(2), [
      /listener web paused: 1 session, the limit of all listeners together; new clients wait$/,
      /listener web paused: no descriptor or memory is left for a connection; new clients wait$/,
      /listener web takes clients again/,
    ]);
    const short = { maxSessions: 82, descriptorLimit: 256, descriptorsNeeded: 2_310 };
    events.emit('listener:paused', { listener, reason: 'instanceLimit', ...short });
    t.match(
      written.at(-1),
      /82 sessions, all that the limit of 256 descriptors allows \(ulimit -n; 2310 would do\); new clients wait$/,
    );
  },
);

void t.test('what ends says how long it has lasted', async t => {
  const { written, time, events } = timed('json');
  const upstream = 'app';
  events.emit('upstream:up', { upstream });
  events.emit('upstream:down', { upstream });
  events.emit('backend:down', { upstream, backend: 'b:1', reason: 'refused' });
  events.emit('worker:stalled', { worker: 1, forMs: 2_000 });
  const mirrored = { upstreams: ['app', 'db'], others: 0 };
  events.emit('mirror:changed', { ...mirrored, mode: 'local', reason: 'unreachable', message: 'no Redis' });
  await time.advanceAndSettle(12_345);
  events.emit('upstream:up', { upstream });
  events.emit('backend:up', { upstream, backend: 'b:1', reason: 'well' });
  events.emit('worker:resumed', { worker: 1 });
  events.emit('mirror:changed', { ...mirrored, mode: 'shared' });
  t.match(
    written.map(line => JSON.parse(line) as unknown),
    [
      { event: 'upstreamUp', message: /has a backend again$/ },
      ...['upstreamDown', 'backendDown', 'workerStalled', 'mirrorLocal'].map(event => ({ event })),
      { event: 'upstreamUp', forMs: 12_345, message: /has a backend again after 12\.3 s$/ },
      { event: 'backendUp', forMs: 12_345, message: /is up after 12\.3 s: well$/ },
      { event: 'workerResumed', forMs: 14_345, message: /moves again after 14\.3 s$/ },
      { event: 'mirrorShared', forMs: 12_345, message: /are shared through Redis after 12\.3 s; 0 other/ },
    ],
  );
});

void t.test('whatever text is in an event, its line is one line, and moves no cursor', async t => {
  const evil = 'x\nforged line\r\x1b[2J\x9b31m\u202e\u2028\ud800';
  for (const format of ['text', 'json'] as const) {
    const { log, written } = create(format, 'debug');
    const handlers = new Map<string, (event: never) => void>();
    const source: EventSource = {
      on(name, handler) {
        handlers.set(name, handler);
        return () => undefined;
      },
    };
    logEvents(source, log, UNTIMED);
    logSessions(source, log);
    // Every field is hostile, as far as a text can stand there.
    const known: Record<string, unknown> = {
      ...{
        startedAtMs: 0,
        upstreams: [evil],
        backends: [evil],
        tried: [evil, evil],
        kept: [evil],
        names: [evil],
      },
    };
    const fields = new Proxy(known, { get: (_target, key) => known[String(key)] ?? evil });
    for (const handler of handlers.values()) handler(fields as never);
    log.write('error', 'crashed', evil, { path: evil });
    t.ok(written.length > 30);
    for (const line of written) {
      t.notMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      if (format === 'json') t.type((JSON.parse(line) as { event: unknown }).event, 'string');
    }
  }
});

void t.test('an unsubscribed listener hears nothing more', async t => {
  const events = new Events();
  const heard: number[] = [];
  const off = events.on('drain:ended', ({ aborted }) => heard.push(aborted));
  events.emit('drain:ended', { aborted: 1 });
  off();
  events.emit('drain:ended', { aborted: 2 });
  t.same(heard, [1]);
});
