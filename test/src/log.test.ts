/** `lb4-balancer/log`: what happens to a balancer, at the destinations of a configuration or in a function. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Lb4Error } from '../../src/errors.ts';
import { logTo, type LogEntry, type LogInput, type LogToFunction } from '../../src/log.ts';
import { Events } from '../../src/model/events.ts';
import { runProgram } from '../harness/programs.ts';
import { RECORD } from '../harness/session-record.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const DOWN = { upstream: 'app', backend: 'b:1', reason: 'refused\n\x1b[2J' };

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n').slice(0, -1);

void t.test(
  'log and access log go to the files of their own, and all of it is written at the end',
  async t => {
    const baseDir = temporaryFolder(t);
    const events = new Events();
    const log = logTo(
      events,
      {
        to: { type: 'file', path: 'lb4.log' },
        access: { format: 'tcplog', to: { type: 'file', path: 'access' } },
      },
      { baseDir },
    );
    events.emit('backend:down', DOWN);
    events.emit('session:closed', RECORD);
    t.ok(await log.end());
    t.match(
      linesOf(join(baseDir, 'lb4.log')).map(line => JSON.parse(line) as unknown),
      [{ level: 'warn', event: 'backendDown', backend: 'b:1' }],
    );
    t.match(linesOf(join(baseDir, 'access')), [/ web app\/10\.0\.0\.1:80 0\/1\/53 1204 -- /]);
    t.match(log.destinations(), [
      { destination: `file ${join(baseDir, 'lb4.log')}`, lost: 0, brokenAs: undefined },
      { destination: `file ${join(baseDir, 'access')}`, lost: 0, brokenAs: undefined },
    ]);
  },
);

void t.test('a file that was renamed is opened again when the program asks for it', async t => {
  const path = join(temporaryFolder(t), 'lb4.log');
  const events = new Events();
  const log = logTo(events, { to: { type: 'file', path } });
  events.emit('drain:ended', { aborted: 1 });
  await until('the line is written', () => readFileSync(path, 'utf8').endsWith('\n'));
  renameSync(path, `${path}.1`);
  log.reopen();
  let aborted = 1;
  await until('lines go to a new file', () => {
    events.emit('drain:ended', { aborted: ++aborted });
    return existsSync(path) && linesOf(path).length > 0;
  });
  t.ok(await log.end());
  const numbers = [...linesOf(`${path}.1`), ...linesOf(path)].map(line => /"aborted":(\d+)/.exec(line)?.[1]);
  t.strictSame(
    numbers,
    Array.from({ length: aborted }, (_, i) => `${i + 1}`),
    'each line is in one of them',
  );
});

void t.test('a function gets entries: the message is one line, the fields are what they are', async t => {
  const entries: LogEntry[] = [];
  const events = new Events();
  logTo(events, { to: entry => entries.push(entry), access: { fields: ['client', 'reason'] } });
  events.emit('backend:down', DOWN);
  events.emit('session:closed', RECORD);
  events.emit('session:unrecorded', { sessions: 3 });
  events.emit('backend:checkFailed', { ...DOWN, inARow: 1, fall: 3 });
  t.strictSame(entries, [
    {
      ...{ level: 'warn', event: 'backendDown' },
      message: 'backend b:1 of app is down: refused\\n\\x1b[2J',
      fields: { upstream: 'app', backend: 'b:1', reason: 'refused\n\x1b[2J' },
    },
    {
      ...{ level: 'info', event: 'session', message: undefined },
      fields: { client: '192.0.2.7:4711', reason: 'closed' },
    },
    {
      ...{ level: 'warn', event: 'linesLost', message: '3 log lines were lost in 0 s: lb4 was overloaded' },
      fields: { lines: 3, forMs: 0, code: 'EBUSY' },
    },
  ]);
});

void t.test(
  'the level of a function’s log is that of the configuration, and sessions are debug entries',
  async t => {
    for (const [level, expected] of [
      ['debug', ['checkFailed', 'session']],
      ['error', []],
    ] as const) {
      const seen: string[] = [];
      const events = new Events();
      logTo(events, { level, to: ({ event }) => seen.push(event) });
      events.emit('backend:checkFailed', { ...DOWN, inARow: 1, fall: 3 });
      events.emit('session:closed', RECORD);
      t.strictSame(seen, expected);
    }
  },
);

void t.test('sessions have a message in a function where their format is a text', async t => {
  for (const [format, message] of [
    ['text', /^session=2s startedAt=/],
    ['tcplog', /^192\.0\.2\.7:4711 \[/],
  ] as const) {
    const entries: LogEntry[] = [];
    const events = new Events();
    logTo(events, { to: entry => entries.push(entry), access: { format } });
    events.emit('session:closed', RECORD);
    t.match(entries, [{ event: 'session', message }]);
  }
});

void t.test('after its end a log is silent, and what was held back has been said', async t => {
  const seen: LogEntry[] = [];
  const path = join(temporaryFolder(t), 'lb4.log');
  const events = new Events();
  const logs = [
    logTo(events, { to: entry => seen.push(entry) }),
    logTo(events, { to: { type: 'file', path } }),
  ];
  const fail = () =>
    events.emit('backend:connectFailed', { ...DOWN, reason: 'refused', code: 'ECONNREFUSED', times: 1 });
  for (let i = 0; i < 3; i++) fail();
  t.strictSame(await Promise.all(logs.map(log => log.end())), [true, true]);
  fail();
  events.emit('session:closed', RECORD);
  t.strictSame(await Promise.all(logs.map(log => log.end())), [true, true], 'a second end is the same');
  t.match(
    seen.map(({ fields }) => fields['heldBack']),
    [undefined, 1],
  );
  t.equal(linesOf(path).length, 2);
});

void t.test('what is wrong with it is said with its place', async t => {
  const wrong: readonly (readonly [LogInput | LogToFunction, RegExp])[] = [
    [{ level: 'all' as 'info' }, /^log\.level: expected one of error, warn, info, debug, got "all"$/],
    [{ acces: true } as LogInput, /^log: unknown key "acces"; did you mean "access"\?$/],
    [{ to: { type: 'file', path: '/lb4-is-not-here/x' } }, /^log\.to\.path: .*\(ENOENT\)$/],
    [{ to: () => undefined, access: { to: 'stderr' } }, /^log\.access\.to: expected no destination/],
    [null as unknown as LogInput, /^log: /],
  ];
  for (const [log, message] of wrong) {
    try {
      logTo(new Events(), log);
      t.fail(`${message} is no problem`);
    } catch (error) {
      t.ok(error instanceof Lb4Error && error.code === 'LB4_CONFIG_INVALID');
      t.match(error, { message });
    }
  }
});

void t.test('a log whose destination is broken keeps no program alive, and its end is in time', async t => {
  const program = `
    import { logTo } from '${new URL('../../src/log.js', import.meta.url).href}';
    const log = logTo({ on: (name, say) => (name === 'drain:ended' && say({ aborted: 1 }), () => {}) }, {
      to: { type: 'syslog', address: 'tcp:127.0.0.1:1' },
    });
    setTimeout(async () => {
      if (process.argv[2] === 'end') console.log(await log.end(), log.destinations()[0].lost);
    }, 100);
  `;
  for (const [how, stdout] of [
    ['', ''],
    ['end', 'false 1\n'],
  ] as const) {
    const args = ['--input-type=module', '-e', program, '--', 'x', how];
    const result = await runProgram(process.execPath, args, { timeoutMs: 10_000 });
    t.match(result, { code: 0, stdout });
    t.match(result.stderr, /"logBroken"/, 'standard error names the reason');
    const lost = / 1 log line was lost in [\d.]+ s: ECONNREFUSED"/;
    t.equal(lost.test(result.stderr), how === 'end', 'and what was lost in the end');
  }
});
