/**
 * Which sessions the access log has, which fields, and the form that HAProxy's readers know.
 */
import { spawnSync } from 'node:child_process';
import t from 'tap';
import { ACCESS_FIELDS, type AccessField } from '../../../src/model/access-fields.ts';
import { Events } from '../../../src/model/events.ts';
import type { SessionRecord } from '../../../src/model/session-record.ts';
import { REASONS, type EndedBy, type Phase, type Reason } from '../../../src/model/termination.ts';
import { accessFields, logSessions, type AccessOptions } from '../../../src/observe/access-log.ts';
import { fileHeader } from '../../../src/observe/destinations/syslog.ts';
import { createLog } from '../../../src/observe/log.ts';
import { tcplog } from '../../../src/observe/tcplog.ts';
import { keepLines } from '../../harness/log-lines.ts';
import { find } from '../../harness/programs.ts';
import { RECORD } from '../../harness/session-record.ts';

const FAILED = { by: 'balancer', phase: 'connect', reason: 'refused' } as const;
const SLOW = { durationMs: 10_000 };

/** The durations of the sessions that have a line. */
function written(options: AccessOptions, records: readonly Partial<SessionRecord>[], chances: number[] = []) {
  const kept = keepLines();
  const { lines } = kept;
  const events = new Events();
  logSessions(
    events,
    createLog({ level: 'info', format: 'json', lines }),
    options,
    () => chances.shift() ?? 1,
  );
  for (const each of records) events.emit('session:closed', { ...RECORD, ...each });
  return kept.entries();
}

const reasons = (entries: readonly Record<string, unknown>[]) => entries.map(({ reason }) => reason);
const durations = (entries: readonly Record<string, unknown>[]) =>
  entries.map(({ durationMs }) => durationMs);

void t.test('without options every session has a line', async t => {
  t.same(reasons(written({}, [{}, FAILED])), ['closed', 'refused']);
});

const TLS = { tlsVersion: 'TLSv1.3', tlsCipher: 'A', tlsResumed: false, clientCertificate: 'Ann O=x' };

void t.test('only sessions whose TLS has ended here have its fields', async t => {
  t.match(written({}, [TLS]), [TLS]);
  const text = (record: Partial<SessionRecord>): string => {
    const { lines, written } = keepLines();
    const events = new Events();
    logSessions(events, createLog({ level: 'info', format: 'text', lines }));
    events.emit('session:closed', { ...RECORD, ...record });
    return written.join('\n');
  };
  t.match(
    text(TLS),
    /serverName=- tlsVersion=TLSv1\.3 tlsCipher=A tlsResumed=false alpn=- clientCertificate="Ann O=x" /,
  );
  t.match(text({}), /serverName=- localAddress=/);
});

void t.test('only errors are the sessions that have not ended by closing', async t => {
  t.same(reasons(written({ only: 'errors' }, [{}, FAILED, SLOW])), ['refused']);
});

void t.test('slow sessions are those that have lasted as long as it says, or longer', async t => {
  const records = [{ durationMs: 499.9 }, { durationMs: 500 }, FAILED, SLOW];
  t.same(durations(written({ slowerThan: 500 }, records)), [500, 10_000]);
  t.same(reasons(written({ slowerThan: 500, only: 'errors' }, records)), ['closed', 'refused', 'closed']);
});

void t.test('a sample is drawn of the sessions that no other option names', async t => {
  t.equal(written({ sample: 0.25 }, [{}, {}, {}, {}], [0.1, 0.3, 0.249, 0.25]).length, 2);
  t.same(reasons(written({ sample: 0.25, only: 'errors' }, [{}, FAILED, {}], [0.3, 0.1])), [
    'refused',
    'closed',
  ]);
  t.same(written({ sample: 0 }, [{}], [0]), []);
});

void t.test('a line has the chosen fields, in their order', async t => {
  const fields: AccessField[] = ['reason', 'client', 'tried'];
  const [entry = {}] = written({ fields }, [{ attempts: 2, tried: ['10.0.0.2:80', '10.0.0.1:80'] }]);
  t.same(Object.keys(entry), ['time', 'level', 'event', ...fields]);
  t.match(entry, { reason: 'closed', client: '192.0.2.7:4711', tried: '10.0.0.2:80,10.0.0.1:80' });
  t.same(
    Object.keys(accessFields({ ...RECORD, tlsVersion: 'TLSv1.3' })),
    [...ACCESS_FIELDS],
    'every field can be chosen',
  );
});

/** Logstash's pattern HAPROXYTCP, with the patterns that it names. */
const GROK = new RegExp(
  [
    String.raw`^(?<client>[0-9a-f.:]+|unix):(?<port>\d+) \[(?<accepted>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\]`,
    String.raw` (?<frontend>\S+) (?<backend>\S+?)/(?<server>\S+) (?<wait>-?\d+)/(?<connect>-?\d+)/(?<total>\+?\d+)`,
    String.raw` (?<bytes>\+?\d+) (?<state>[A-Za-z-]{2}) \d+/\d+/\d+/\d+/(?<retries>\+?\d+) \d+/\d+$`,
  ].join(''),
);

function read(record: Partial<SessionRecord>) {
  const line = tcplog({ ...RECORD, ...record });
  return GROK.exec(line)?.groups ?? { line };
}

void t.test('a line of tcplog has the columns of HAProxy', async t => {
  const parsed = read({});
  const { client, port, frontend, backend, server } = parsed;
  t.same([client, port, frontend, backend, server], ['192.0.2.7', '4711', 'web', 'app', '10.0.0.1:80']);
  const { wait, connect, total, bytes, state, retries } = parsed;
  t.same([wait, connect, total, bytes, state, retries], ['0', '1', '53', '1204', '--', '0']);
  const accepted = new Date(RECORD.startedAtMs);
  t.match(parsed['accepted'], `:${String(accepted.getMinutes()).padStart(2, '0')}:20.123`);
});

void t.test('what a session did not reach is -1, and another backend is a retry with +', async t => {
  t.match(read({ backend: undefined, connectMs: undefined, attempts: 0, tried: [] }), {
    ...{ server: '<NOSRV>', wait: '-1', connect: '-1', retries: '0' },
  });
  t.match(read({ attempts: 3, tried: ['10.0.0.1:80', '10.0.0.1:80', '10.0.0.1:80'] }), { retries: '2' });
  t.match(read({ attempts: 2, tried: ['10.0.0.2:80', '10.0.0.1:80'] }), { retries: '+1' });
  t.match(read({ queuedMs: 12.6 }), { wait: '13' });
});

void t.test('no backend, client or end of a session moves a column', async t => {
  t.match(read({ clientAddress: '2001:db8::1' }), { client: '2001:db8::1', port: '4711' });
  t.match(read({ clientAddress: '', clientPort: 0 }), { client: 'unix', port: '0' });
  t.match(read({ backend: 'unix:/run/a b\n"c".sock' }), { server: 'unix:/run/a_b_"c".sock', state: '--' });
  for (const reason of REASONS) {
    for (const by of ['client', 'backend', 'balancer'] satisfies EndedBy[]) {
      for (const phase of ['admission', 'queue', 'connect', 'relay', 'drain'] satisfies Phase[])
        t.match(read({ by, phase, reason }), { state: reason === 'closed' ? '--' : /^[CScsPRIDUK][RQCD]$/ });
    }
  }
});

void t.test('the letters of the state are those of HAProxy', async t => {
  const known: [EndedBy, Phase, Reason, string][] = [
    ['client', 'relay', 'reset', 'CD'],
    ['backend', 'relay', 'reset', 'SD'],
    ['balancer', 'relay', 'idle', 'cD'],
    ['client', 'queue', 'reset', 'CQ'],
    ['balancer', 'queue', 'queueTimeout', 'sQ'],
    ['backend', 'connect', 'refused', 'SC'],
    ['backend', 'connect', 'timeout', 'sC'],
    ['balancer', 'connect', 'localResources', 'RC'],
    ['balancer', 'relay', 'backendDown', 'DD'],
    ['balancer', 'relay', 'operator', 'KD'],
  ];
  for (const [by, phase, reason, state] of known) t.match(read({ by, phase, reason }), { state }, reason);
});

void t.test(
  'halog reads the lines as HAProxy writes them',
  { skip: find('halog') === undefined && 'this machine has no halog' },
  async t => {
    const header = fileHeader({ host: 'edge 1', app: 'lb4', pid: 7 });
    const lines = [RECORD, { ...RECORD, startedAtMs: RECORD.startedAtMs + 550 }].map(
      each => header + tcplog(each),
    );
    const { stdout, stderr } = spawnSync('halog', ['-ac', '1'], {
      input: `${lines.join('\n')}\n`,
      encoding: 'utf8',
    });
    t.match(stderr, '2 lines in, 2 lines out, 0 parsing errors');
    // The times of accepts, with the milliseconds since the one before.
    t.match(stdout, /:20\.123 \d+ 0 1\n.*:20\.673 \d+ 550 1\n/);
  },
);
