/**
 * The access log: one line for each session, in each of its forms.
 */
import t from 'tap';
import { Events } from '../../../src/model/events.ts';
import { logSessions } from '../../../src/observe/access-log.ts';
import { createLog, type LogFormat } from '../../../src/observe/log.ts';
import { keepLines } from '../../harness/log-lines.ts';

function create(format: LogFormat) {
  const { lines, written } = keepLines();
  return { log: createLog({ level: 'info', format, lines }), written };
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
  queuedMs: undefined,
  localAddress: '[2001:db8::2]:443',
  sourceAddress: undefined,
  tried: [],
  firstByteMs: undefined,
  connectMs: undefined,
  bytesFromClient: 1,
  bytesFromBackend: 2,
  by: 'balancer',
  phase: 'connect',
  reason: 'noBackend',
} as const;

void t.test('as text, a value of the access log ends where it ends', async t => {
  const { log, written } = create('text');
  const events = new Events();
  logSessions(events, log);
  events.emit('session:closed', { ...RECORD, backend: 'unix:/run/a b=c "d".sock', upstream: '-' });
  t.match(written[0], 'upstream="-" backend="unix:/run/a b=c \\"d\\".sock" sourceAddress=- attempts=0');
});

void t.test('the access log writes one line per session, flat as JSON, key=value as text', async t => {
  for (const format of ['json', 'text'] as const) {
    const { log, written } = create(format);
    const events = new Events();
    logSessions(events, log);
    events.emit('session:closed', RECORD);
    t.equal(written.length, 1);
    if (format === 'text') {
      t.match(
        written[0],
        /session=2s .*client=\[2001:db8::1\]:4711 .*backend=- sourceAddress=- attempts=0 tried=- .*durationMs=1\.235 queuedMs=- connectMs=-/,
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
