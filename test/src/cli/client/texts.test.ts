/** What the client commands print: it fits 80 columns whatever is in it, and an operator finds the reason in it. */
import t from 'tap';
import { attentionOf } from '../../../../src/cli/client/attention.ts';
import { backendsText } from '../../../../src/cli/client/backends.ts';
import { paragraph } from '../../../../src/cli/client/paragraph.ts';
import { sessionsText } from '../../../../src/cli/client/sessions.ts';
import { statusText, type StatusAnswer } from '../../../../src/cli/client/status.ts';
import { formatTable } from '../../../../src/cli/client/table.ts';
import { endOf, startOf, widthOf } from '../../../../src/cli/client/text-width.ts';
import type { LastReload } from '../../../../src/model/reload-report.ts';
import type { BackendView, ListenerView, LoadBalancerSnapshot } from '../../../../src/model/snapshot.ts';
import { backendView, snapshotWith, upstreamView } from '../../../harness/fake-balancer.ts';
import { fc } from '../../../harness/properties.ts';

const MINUTE = 60_000;

function statusWith(
  parts: Partial<LoadBalancerSnapshot> = {},
  lastReload?: Partial<LastReload>,
): StatusAnswer {
  const about = { name: 'default', version: '0.1.0', pid: 4751, uptimeMs: 11_100_000 };
  const last = { at: '', agoMs: 5 * MINUTE, trigger: 'signal', file: 'lb4.yaml', ok: false } as const;
  return {
    ...about,
    ...snapshotWith(parts),
    ...(lastReload && {
      lastReload: { ...last, changes: 0, changed: [], problems: [], problemsInAll: 0, ...lastReload },
    }),
  };
}

const down = (backend: string, parts: Partial<BackendView> = {}): BackendView =>
  backendView(backend, {
    state: 'down',
    takesSessions: false,
    health: 'down',
    stateForMs: 3 * MINUTE,
    why: '3 health checks failed in a row, the last with: refused (ECONNREFUSED)',
    ...parts,
  });

void t.test('status names the engine of each listener where there are two', async t => {
  const listeners = (['epoll', 'node'] as const).map(engine => ({
    ...{ name: `by ${engine}`, addresses: [':80'], paused: false, pausedMs: undefined, engine, sessions: 0 },
  }));
  const workers = (['epoll', 'node'] as const).map((engine, i) => ({
    ...({ worker: i + 1, engine, state: 'running', sessions: 0, sessionsEver: 0 } as const),
  }));
  const both = statusText(statusWith({ engine: 'epoll', listeners, workers }), 80);
  t.match(both, /engine epoll, 1 worker and 1 with the node engine for TLS, /);
  t.match(
    both,
    /LISTENER +ADDRESS +STATE +ENGINE +SESSIONS\nby epoll +:80 +open +epoll +0\nby node +:80 +open +node +0\n/,
  );
  t.notMatch(statusText(statusWith({ engine: 'epoll', workers: workers.slice(0, 1) }), 80), /ENGINE/);
});

void t.test('status of an instance that is well says so in two tables, and nothing else', async t => {
  t.equal(
    statusText(statusWith(), 80),
    [
      'lb4 0.1.0, default: running, ready, up 3h 5m, pid 4751',
      'engine epoll, no workers, 0 sessions now, 0 in all',
      '',
      'LISTENER  ADDRESS       STATE  SESSIONS',
      'web       127.0.0.1:80  open          0',
      '',
      'UPSTREAM  MODE    STRATEGY   BACKENDS  SESSIONS  QUEUE',
      'app       normal  leastconn  2 of 2           0      0',
      '',
    ].join('\n'),
  );
  t.same(attentionOf(statusWith({}, { ok: true })), [], 'a reload that went well needs no attention');
});

void t.test('status names a log that takes no lines, and lines that a log has lost', t => {
  const logs = [
    { log: 'log', destination: 'file /var/log/lb4.log', linesLost: 0, brokenAs: 'ENOSPC' },
    { log: 'access', destination: 'syslog udp://10.0.0.1', linesLost: 5_061 },
  ] as const;
  t.same(attentionOf({ ...statusWith(), logs }), [
    'the log (file /var/log/lb4.log) takes no lines: ENOSPC, 0 lines lost since the start',
    'the access log (syslog udp://10.0.0.1): 5061 lines lost since the start',
  ]);
  const well = [{ log: 'log', destination: 'standard error', linesLost: 0 }] as const;
  t.same(attentionOf({ ...statusWith(), logs: well }), []);
  t.end();
});

void t.test('status names what is out, full or refused, with its reason and since when', async t => {
  const app = {
    ...upstreamView('app', [
      backendView('10.0.0.1:80', { sessions: 2, maxSessions: 2 }),
      down('10.0.0.2:80'),
      backendView('10.0.0.3:80', { state: 'removed', takesSessions: false, sessions: 1, stateForMs: 9_000 }),
    ]),
    queue: { waiting: 3, max: 3, longestMs: 12_000 },
    overrides: [{ backend: '10.0.0.1:80', what: 'weight', configured: 1, now: 3 } as const],
  };
  const web = {
    name: 'web',
    addresses: [':80'],
    paused: true,
    pausedMs: 61_000,
    engine: 'epoll',
    sessions: 5,
  };
  const gone = { ...upstreamView('gone', []), mode: 'down' } as const;
  const problem = 'lb4.yaml:8:1  not valid YAML: it ends too early';
  const status = statusWith(
    { listeners: [web], upstreams: [app, gone], workers: [] },
    { reason: 'invalid', problems: [problem], problemsInAll: 3 },
  );
  t.same(attentionOf(status), [
    `the last reload of lb4.yaml failed (SIGHUP, 5m ago), the configuration is as before: ${problem}; and 2 more`,
    'listener web: new clients wait, because a limit of sessions is reached, for 1m 1s',
    'upstream app: 3 sessions of at most 3 wait for a backend with room, the longest for 12s',
    'upstream gone: no backend takes sessions, new clients are refused',
    'backend 10.0.0.2:80 of app: down for 3m: 3 health checks failed in a row, the last with: refused (ECONNREFUSED)',
    'backend 10.0.0.3:80 of app: removed for 9s, 1 session left',
  ]);
  const text = statusText(status, 80);
  t.match(
    text,
    [
      '',
      'needs attention:',
      '  the last reload of lb4.yaml failed (SIGHUP, 5m ago), the configuration is as',
      '    before: lb4.yaml:8:1  not valid YAML: it ends too early; and 2 more',
      '',
    ].join('\n'),
  );
  t.match(text, /\nother than configured, by operators:\n {2}app 10\.0\.0\.1:80: weight 3, configured 1\n$/);
  const refused = statusWith({}, { reason: 'refused', problems: ['it drains'], problemsInAll: 1 });
  t.same(attentionOf(refused), ['the last reload was refused (SIGHUP, 5m ago): it drains']);
});

void t.test('status names a listener that has stopped with its upstream', async t => {
  const web = {
    name: 'web',
    addresses: [],
    stopped: true,
    paused: false,
    pausedMs: undefined,
    engine: 'epoll',
    sessions: 5,
  };
  const status = statusWith({ listeners: [web] });
  t.same(attentionOf(status), [
    'listener web: does not listen, because its upstream has no backend (stopWhenDown)',
  ]);
  t.match(statusText(status, 80), /\nweb +- +stopped +5\n/);
});

void t.test('status names ten backends that are out, and counts the rest; backends names all', async t => {
  const backends = Array.from({ length: 1_000 }, (_, i) => down(`10.0.${i >> 8}.${i & 255}:80`));
  const status = statusWith({ upstreams: [upstreamView('app', backends)] });
  const lines = attentionOf(status);
  t.equal(lines.length, 11);
  t.equal(lines.at(-1), '990 more backends: lb4 backends has all');
  const text = backendsText(status.upstreams, 80);
  for (const { backend } of [backends[0], backends[999]].filter(each => each !== undefined))
    t.match(text, `\nbackend ${backend} of app: down for 3m: `);
});

void t.test('100,000 sessions and none are a table', async t => {
  t.equal(sessionsText({ sessions: [], more: false }, 80), 'ID  CLIENT  UPSTREAM  BACKEND  AGE  IN  OUT\n');
  const session = { id: '1-a', upstream: 'app', phase: 'relay', ageMs: 1, bytesFromClient: 1 };
  const sessions = Array.from({ length: 100_000 }, (_, clientPort) => ({
    ...{ ...session, bytesFromBackend: 1, clientAddress: '::1', clientPort },
  }));
  t.equal(sessionsText({ sessions, more: true }, 80).split('\n').length, 100_003);
});

void t.test('status shows the limits of each listener that has any', async t => {
  const listener = {
    name: 'web',
    addresses: [':443'],
    paused: false,
    pausedMs: undefined,
    engine: 'epoll',
    sessions: 0,
  };
  const each = { ipv4Prefix: 32, ipv6Prefix: 64, clients: 65_536 };
  const limits = {
    ...{ maxSessions: 20_000, rate: '2000/s', bandwidth: { fromBackend: 2 ** 30 } },
    ...{ perClient: { ...each, sessions: 100, rate: '50/s' }, perNetwork: { ...each, rate: '5/m' } },
    perSession: { bandwidth: { fromClient: 2 ** 20, fromBackend: 20e6 } },
  };
  const shown = (view: Partial<ListenerView>): string =>
    statusText(
      statusWith({
        listeners: [
          { ...listener, ...view },
          { ...listener, name: 'open' },
        ],
      }),
      100,
    );
  const text = shown({ limits });
  t.match(text, /LISTENER +LIMIT OF +SESSIONS +NEW +FROM CLIENT +FROM BACKEND\n/);
  t.match(text, /\nweb +all +20000 +2000\/s +- +1GiB\/s\n +each client +100 +50\/s +- +-\n/);
  t.match(text, /\n +each network +- +5\/m +- +-\n +each session +- +- +1MiB\/s +20MB\/s\n/);
  t.equal(text.match(/\nopen /g)?.length, 1, 'one without limits stands in the first table only');
  t.notMatch(shown({}), 'LIMIT OF');
  t.match(
    shown({ limits: { ...limits, dryRun: true } }),
    /all \(rate: dry run\) [^]*each client \(dry run\) +100/,
  );
});

void t.test('status shows where TLS clients go, and sessions by which name they came', async t => {
  const listener = {
    name: 'web',
    addresses: [':443'],
    paused: false,
    pausedMs: undefined,
    engine: 'epoll',
    sessions: 0,
  };
  const route = (match: readonly string[], upstream: string, alpn: readonly string[] = []) => ({
    ...{ match, alpn, upstream },
  });
  const many = Array.from({ length: 30 }, (_, i) => `${i}.test`);
  const routes = [
    route(['a.test', '*.b.test'], 'app'),
    route([], 'acme', ['acme-tls/1']),
    route(many, 'shop'),
  ];
  const text = statusText(
    statusWith({ listeners: [{ ...listener, sni: { routes, others: 'refuse' } }] }),
    80,
  );
  t.match(text, /web +a\.test \*\.b\.test +- +app\n/);
  t.match(text, /\(any\) +acme-tls\/1 +acme\n/);
  t.match(text, /0\.test 1\.test 2\.test 3\.test … +- +shop\n/);
  t.match(text, /others +\(refused\)\n/);
  t.notMatch(statusText(statusWith({ listeners: [listener] }), 80), 'PROTOCOL');
  const more = Array.from({ length: 25 }, (_, i) => route([`${i}.test`], 'app'));
  const long = statusText(
    statusWith({ listeners: [{ ...listener, sni: { routes: more, others: 'upstream' } }] }),
    80,
  );
  t.match(long, /and 5 routes more\n[^\n]*others +\(as the listener\)/);
  const session = { upstream: 'app', phase: 'relay', ageMs: 1, bytesFromClient: 1, bytesFromBackend: 1 };
  const sessions = [
    { ...session, id: '1-a', clientAddress: '::1', clientPort: 1, serverName: 'a.test' },
    { ...session, id: '1-b', clientAddress: '::1', clientPort: 2 },
  ];
  const shown = sessionsText({ sessions, more: false }, 80);
  t.match(shown, /ID +CLIENT +NAME +UPSTREAM/);
  t.match(shown, /1-a +\[::1\]:1 +a\.test +app/);
  t.match(shown, /1-b +\[::1\]:2 +- +app/);
  const certified = sessions.map(each => ({ ...each, clientCertificate: 'till-7' }));
  t.match(sessionsText({ sessions: certified, more: false }, 100), /CERTIFICATE +NAME.*\n.* till-7 +a\.test/);
});

/** What may stand in an address or a reason: long, without spaces, of any script, with what must not reach a terminal. */
const strange = fc.string({
  maxLength: 150,
  unit: fc.oneof(
    fc.constantFrom('a', ':', '/', ' ', '\n', '\u001b[31m', '\u202e', '漢', 'é', 'e\u0301', '😀', '\ud800'),
    fc.string({ minLength: 1, maxLength: 1, unit: 'binary' }),
  ),
});
const name = fc.string({ minLength: 1, maxLength: 64, unit: fc.constantFrom('a', 'B', '0', '.', '_', '-') });
const count = fc.nat({ max: 2 ** 31 });

void t.test('whatever is in it, every line of every command fits 80 columns and is printable', async t => {
  const backend = fc
    .record({ address: strange, why: fc.option(strange), sessions: count, weight: fc.nat({ max: 256 }) })
    .map(({ address, why, ...rest }) =>
      why === null ? backendView(address, rest) : down(address, { why, ...rest, maxSessions: 2 ** 31 }),
    );
  const upstream = fc
    .record({ name, strategy: strange, backends: fc.array(backend, { maxLength: 5 }), waiting: count })
    .map(({ waiting, ...rest }) => ({
      ...upstreamView(rest.name, rest.backends),
      strategy: rest.strategy,
      queue: { waiting, max: 2 ** 31, longestMs: 86_400_000 * 99 },
      overrides: rest.backends.map(({ backend }) => ({ backend, what: 'added' as const })),
    }));
  const status = fc
    .record({ name, upstreams: fc.array(upstream, { maxLength: 3 }), problem: strange, sessions: count })
    .map(({ name: instance, upstreams, problem, sessions }) => ({
      ...statusWith({ upstreams, sessions }, { file: problem, problems: [problem], problemsInAll: 1 }),
      ...{ name: instance, sessionsEver: 2 ** 45, maxSessions: 2 ** 31 },
      mirror: {
        instance,
        upstreams: [
          {
            ...{ upstream: instance, mode: 'local' as const, others: [], ageMs: undefined },
            trouble: { reason: 'timeout' as const, message: problem },
          },
        ],
      },
    }));
  const session = fc
    .record({ clientAddress: fc.ipV6(), upstream: name, backend: strange, bytesFromClient: count })
    .map(each => ({ id: '63-zzzzzz', clientPort: 65_535, phase: 'relay', ageMs: 8_639_999_999, ...each }))
    .map(each => ({ ...each, bytesFromBackend: each.bytesFromClient * 1024 }));
  fc.assert(
    fc.property(status, fc.array(session, { maxLength: 5 }), (answer, sessions) => {
      const texts = [
        statusText(answer, 80),
        backendsText(answer.upstreams, 80),
        sessionsText({ sessions, more: true }, 80),
      ];
      for (const line of texts.join('').split('\n')) {
        if (widthOf(line) > 80 || /[\p{Cc}\p{Cf}\p{Cs}]/u.test(line)) throw new Error(JSON.stringify(line));
      }
    }),
    { numRuns: 200 },
  );
  t.pass();
});

void t.test('a paragraph is broken at spaces, and a word only where it fits no line', async t => {
  t.equal(paragraph('aaa bb ccc', 6), 'aaa bb\n  ccc\n');
  t.equal(paragraph('  aaaaaaaaaa b', 6, '    '), '  aaaa\n    aa\n    aa\n    aa\n    b\n');
  fc.assert(
    fc.property(strange, text => {
      const words = (from: string): string => from.replaceAll(/\s/g, '');
      const shown = formatTable([{ name: '' }], [[text]], 1_000_000).slice(1);
      return words(paragraph(text, 20)) === words(shown);
    }),
  );
});

void t.test('characters of two cells and marks count as terminals show them', async t => {
  t.equal(widthOf('漢字:80'), 7);
  t.equal(widthOf('e\u0301'), 1);
  t.equal(startOf('漢字', 3), '漢');
  t.equal(endOf('e\u0301x', 1), 'x');
  const table = formatTable(
    [{ name: 'A' }, { name: 'B' }],
    [
      ['漢字', 1],
      ['abcd', 2],
    ],
  );
  t.equal(table, 'A     B\n漢字  1\nabcd  2\n');
});
