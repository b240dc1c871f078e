import { PassThrough } from 'node:stream';
import t from 'tap';
import { Events } from '../../../src/events.ts';
import { logSessions } from '../../../src/observability/access-log.ts';
import { logEvents } from '../../../src/observability/log-events.ts';
import { createLog, type LogFormat, type LogLevel } from '../../../src/observability/log.ts';

function create(format: LogFormat, level: LogLevel = 'info') {
  const stream = new PassThrough();
  const log = createLog({ level, format, stream });
  const lines = async (): Promise<string[]> => {
    await log.end();
    const text = stream.read() as Buffer | null;
    return (text ?? Buffer.alloc(0)).toString().split('\n').slice(0, -1);
  };
  return { log, lines };
}

const RECORD = {
  id: '2s',
  listener: 'web',
  upstream: 'app',
  clientAddress: '2001:db8::1',
  clientPort: 4711,
  backend: undefined,
  attempts: 0,
  warm: false,
  reused: false,
  startedAtMs: 1_700_000_000_000,
  durationMs: 1.23456,
  connectMs: undefined,
  bytesFromClient: 1,
  bytesFromBackend: 2,
  by: 'balancer',
  phase: 'connect',
  reason: 'noBackend',
} as const;

void t.test('a JSON line has time, level, a stable event, a message and its own fields', async t => {
  const { log, lines } = create('json');
  log.write('warn', 'backendDown', 'backend x is down', { backend: 'x', upstream: 'app' });
  const [line = ''] = await lines();
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
  const { log, lines } = create('text');
  log.write('info', 'listening', 'listener web accepts on 127.0.0.1:80', { listener: 'web' });
  t.match(await lines(), [/^\d{4}-\S+Z info {2}listener web accepts on 127\.0\.0\.1:80$/]);
});

void t.test('what is below the level is not written', async t => {
  const { log, lines } = create('text', 'warn');
  log.write('info', 'x', 'not this');
  log.write('error', 'x', 'but this');
  t.match(await lines(), [/but this$/]);
});

void t.test('every change of state is one line', async t => {
  const { log, lines } = create('text');
  const events = new Events();
  logEvents(events, log, () => 0);
  events.emit('listener:listening', { listener: 'web', address: '127.0.0.1:80' });
  events.emit('backend:down', { upstream: 'app', backend: 'b:1', reason: 'refused' });
  events.emit('backend:up', { upstream: 'app', backend: 'b:1', reason: '2 health checks passed' });
  events.emit('drain:started', { sessions: 3, timeoutMs: 30_000 });
  events.emit('drain:ended', { aborted: 1 });
  t.match(await lines(), [
    /listener web accepts on 127\.0\.0\.1:80$/,
    /warn {2}backend b:1 of app is down: refused$/,
    /backend b:1 of app is up: 2 health checks passed$/,
    /draining: no new clients, 3 sessions have 30 s to end$/,
    /drained: every session has ended, 1 of them reset$/,
  ]);
});

void t.test(
  'failed connects are logged at most once per backend, reason and 10 seconds, and counted meanwhile',
  async t => {
    const { log, lines } = create('text');
    const events = new Events();
    let nowMs = 0;
    logEvents(events, log, () => nowMs);
    const fail = (backend: string) =>
      events.emit('backend:connectFailed', {
        upstream: 'app',
        backend,
        reason: 'refused',
        code: 'ECONNREFUSED',
      });
    for (let i = 0; i < 1_000; i++) fail('b:1');
    fail('b:2');
    nowMs = 10_000;
    fail('b:1');
    events.emit('listener:paused', { listener: 'web', reason: 'listenerLimit' });
    events.emit('listener:paused', { listener: 'web', reason: 'listenerLimit' });
    t.match(await lines(), [
      /cannot connect to b:1 of app: refused \(ECONNREFUSED\)$/,
      /cannot connect to b:2 of app/,
      /cannot connect to b:1 of app: refused \(ECONNREFUSED\) \(and 999 times more before\)$/,
      /listener web lets clients wait: it is at its maxSessions$/,
    ]);
  },
);

void t.test('the access log writes one line per session, flat as JSON, key=value as text', async t => {
  for (const format of ['json', 'text'] as const) {
    const { log, lines } = create(format);
    const events = new Events();
    logSessions(events, log);
    events.emit('session:closed', RECORD);
    const written = await lines();
    t.equal(written.length, 1);
    if (format === 'text') {
      t.match(
        written[0],
        /session=2s .*client=\[2001:db8::1\]:4711 .*backend=- attempts=0 .*durationMs=1\.235 connectMs=-/,
      );
    } else {
      const line = JSON.parse(written[0] ?? '') as Record<string, unknown>;
      t.match(line, {
        event: 'session',
        session: '2s',
        startedAt: '2023-11-14T22:13:20.000Z',
        by: 'balancer',
      });
      t.notOk('message' in line, 'the fields are not said twice');
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
