/**
 * Log and access log with their destinations: what they say of each other, and what a reload does to lines. The
 * destinations are unix sockets of syslog whose receivers the test plays.
 */
import t from 'tap';
import { parseLog } from '../../../src/config/source/parse.ts';
import type { LogInput } from '../../../src/config/schema/log-schema.ts';
import { Events } from '../../../src/model/events.ts';
import { openLogs, type LogConfig } from '../../../src/observe/logs.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { RECORD } from '../../harness/session-record.ts';

interface Receiver {
  /** The JSON of each message. */
  readonly got: Record<string, unknown>[];
  /** What it answers; undefined: it takes all. */
  code: string | undefined;
  isOpen: boolean;
}

const at = (path: string) => ({ type: 'syslog', address: `unix:${path}` }) as const;

function config(input: LogInput): LogConfig {
  const parsed = parseLog(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.log;
}

function create(input: LogInput) {
  const clock = new FakeClock();
  const receivers = new Map<string, Receiver>();
  const receiver = (path: string): Receiver => {
    const known = receivers.get(path) ?? { got: [], code: undefined, isOpen: false };
    receivers.set(path, known);
    return known;
  };
  const { now, setTimer } = clock;
  const logs = openLogs(config(input), {
    ...{ now, setTimer, baseDir: '/', env: {}, pid: 1, random: () => 0 },
    isTerminal: () => false,
    prefixOf: () => '',
    unacknowledged: () => 0,
    openMessages(path) {
      if (path === '/nowhere') throw new RangeError('too long');
      const to = receiver(path);
      to.isOpen = true;
      return {
        send(message) {
          if (to.code !== undefined) return to.code;
          const text = Buffer.from(message).toString();
          to.got.push(JSON.parse(text.slice(text.indexOf('{'))) as Record<string, unknown>);
          return undefined;
        },
        close: () => (to.isOpen = false),
      };
    },
  });
  const events = new Events();
  logs.follow(events);
  let sessions = 0;
  return {
    ...{ logs, clock, receiver, events },
    /** Ends this many sessions; their ids are running numbers. */
    end: (count: number): void => {
      for (let i = 0; i < count; i++) events.emit('session:closed', { ...RECORD, id: String(++sessions) });
    },
    /** The ids of the sessions that a receiver has got. */
    ids: (path: string) =>
      receiver(path).got.flatMap(({ session }) => (session === undefined ? [] : [Number(session)])),
    /** What the log says there of destinations. */
    said: (path: string) => receiver(path).got.filter(({ event }) => event !== 'session'),
    settle: () => clock.advanceAndSettle(0),
    reload: (input: LogInput, between: () => void = () => undefined): void => {
      const next = config(input);
      logs.prepare(next);
      between();
      logs.configure(next);
    },
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

void t.test('a destination that breaks is said once in the log, and once when it is mended', async t => {
  const { logs, end, receiver, said, clock, ids } = create({ to: at('/log'), access: { to: at('/access') } });
  receiver('/access').code = 'ECONNREFUSED';
  end(1);
  await clock.advanceAndSettle(5_000);
  end(1);
  t.match(logs.figures().access, { destination: 'syslog unix:/access', lost: 0, brokenAs: 'ECONNREFUSED' });
  t.strictSame(logs.views(), [
    { log: 'log', destination: 'syslog unix:/log', linesLost: 0 },
    { log: 'access', destination: 'syslog unix:/access', linesLost: 0, brokenAs: 'ECONNREFUSED' },
  ]);
  receiver('/access').code = undefined;
  await clock.advanceAndSettle(1_000);
  t.match(said('/log'), [
    { level: 'warn', event: 'logBroken', destination: 'syslog unix:/access', code: 'ECONNREFUSED' },
    { level: 'info', event: 'logMended', destination: 'syslog unix:/access' },
  ]);
  t.match(logs.figures().access, { lost: 0, brokenAs: undefined });
  t.strictSame(ids('/access'), [1, 2], 'and what was kept has arrived');
});

void t.test('one destination for both has one buffer, and lines in their order', async t => {
  const { logs, end, receiver, settle } = create({ to: at('/log'), access: { to: at('/log') } });
  logs.log.write('info', 'first', 'first');
  end(1);
  logs.log.write('info', 'second', 'second');
  await settle();
  t.strictSame(
    receiver('/log').got.map(({ event }) => event),
    ['first', 'session', 'second'],
  );
  t.strictSame(Object.keys(logs.figures()), ['log']);
});

void t.test(
  'every line that did not arrive is counted, in the line that says so and in the figures',
  async t => {
    const { logs, end, receiver, said, clock, ids } = create({
      to: at('/log'),
      access: { to: at('/access') },
    });
    receiver('/access').code = 'EAGAIN';
    end(5_000);
    await clock.advanceAndSettle(1_000);
    receiver('/access').code = undefined;
    await clock.advanceAndSettle(1_000);
    end(1);
    await clock.advanceAndSettle(0);
    const [loss] = said('/access');
    t.match(loss, { event: 'linesLost', code: 'ENOBUFS' }, 'all came before its reader could be asked');
    t.equal(ids('/access').length + Number(loss?.['lines']), 5_001);
    t.equal(logs.figures().access?.lost, loss?.['lines']);
    t.equal(ids('/access').at(-1), 5_001, 'lines go on');
    t.strictSame(said('/log'), [], 'a reader that is slow is not broken');
  },
);

void t.test(
  'lines lost stay counted over changes of destinations, also what is lost at the change',
  async t => {
    const both = { to: at('/log'), access: { to: at('/access') } };
    const { logs, end, receiver, reload, clock } = create(both);
    receiver('/access').code = 'ENOENT';
    end(5);
    await clock.advanceAndSettle(1_000);
    t.same(logs.lost(), { log: 0, access: 0 }, 'there is room for them');
    reload({ to: at('/log'), access: { to: at('/other') } });
    await clock.advanceAndSettle(2_000);
    t.same(logs.lost(), { log: 0, access: 5 });
    reload({ to: at('/other'), access: { to: at('/access') } });
    await clock.advanceAndSettle(2_000);
    t.same(
      logs.lost(),
      { log: 0, access: 5 },
      'the log has the destination of the access log, not its losses',
    );
  },
);

void t.test('what the access log has lost in the end stands in the log', async t => {
  const { logs, end, receiver, said } = create({ to: at('/log'), access: { to: at('/access') } });
  receiver('/access').code = 'ENOENT';
  end(5);
  t.notOk(await logs.end());
  t.equal(logs.figures().access?.lost, 5);
  t.match(said('/log'), [
    { event: 'logBroken', code: 'ENOENT' },
    { level: 'warn', event: 'linesLost', destination: 'syslog unix:/access', lines: 5, code: 'ENOENT' },
  ]);
  t.notOk(receiver('/access').isOpen);
  t.notOk(receiver('/log').isOpen);
});

void t.test('a receiver that stands still has a second in the end, and no more', async t => {
  const { logs, end, receiver, said, clock } = create({ to: at('/log'), access: { to: at('/access') } });
  receiver('/access').code = 'EAGAIN';
  end(5);
  const ended = logs.end();
  await clock.advanceAndSettle(999);
  t.strictSame(said('/log'), []);
  await clock.advanceAndSettle(101);
  t.notOk(await ended);
  t.match(said('/log'), [{ event: 'linesLost', lines: 5, code: 'EAGAIN' }]);
});

void t.test('after a reload lines go to the new destination, and none is lost or doubled', async t => {
  const { logs, end, settle, ids, receiver, reload } = create({ access: { to: at('/a') } });
  end(1);
  for (const access of [
    { to: at('/b') },
    { to: at('/b'), fields: ['session' as const] },
    { to: at('/c'), only: 'errors' as const },
    { to: at('/a') },
  ]) {
    reload({ access }, () => end(1));
    end(1);
  }
  await settle();
  t.strictSame(ids('/a'), [1, 2, 9]);
  t.strictSame(ids('/b'), [3, 4, 5, 6]);
  t.strictSame(
    receiver('/b').got.map(line => Object.keys(line).length > 4),
    [true, true, false, false],
  );
  t.strictSame(ids('/c'), [], 'sessions 7 and 8 are no errors');
  t.notOk(receiver('/b').isOpen);
  t.notOk(receiver('/c').isOpen);
  t.ok(await logs.end());
});

void t.test('a reload that takes the access log away, and one that brings it back, cut nothing', async t => {
  const { end, settle, ids, reload } = create({ access: { to: at('/a') } });
  end(2);
  reload({ access: false });
  end(1);
  reload({ access: { to: at('/a') } });
  end(1);
  await settle();
  t.strictSame(ids('/a'), [1, 2, 4]);
});

void t.test(
  'a former destination has a second for what it has not taken, and its losses stand in the log',
  async t => {
    const { end, receiver, ids, said, clock, reload } = create({ to: at('/log'), access: { to: at('/a') } });
    receiver('/a').code = 'EAGAIN';
    end(3);
    await clock.advanceAndSettle(10);
    reload({ to: at('/log'), access: { to: at('/b') } });
    end(1);
    await clock.advanceAndSettle(500);
    receiver('/a').code = undefined;
    await clock.advanceAndSettle(500);
    t.strictSame(ids('/a'), upTo(3));
    t.notOk(receiver('/a').isOpen);

    receiver('/b').code = 'EAGAIN';
    end(2);
    reload({ to: at('/log') });
    await clock.advanceAndSettle(1_100);
    t.match(said('/log'), [{ event: 'linesLost', destination: 'syslog unix:/b', lines: 2, code: 'EAGAIN' }]);
    t.notOk(receiver('/b').isOpen);
  },
);

void t.test('a destination that cannot be opened changes nothing', async t => {
  const { logs, end, settle, ids, receiver } = create({ access: { to: at('/a') } });
  const wrong = config({ to: at('/b'), access: { to: at('/nowhere') } });
  t.throws(() => logs.prepare(wrong), { code: 'LB4_CONFIG_INVALID', message: /^log\.access\.to\.type: / });
  t.notOk(receiver('/b').isOpen, 'what was opened for it is closed');
  end(1);
  await settle();
  t.strictSame(ids('/a'), [1]);
});

void t.test('what was prepared and is not taken is closed', async t => {
  const { logs, receiver } = create({ access: { to: at('/a') } });
  const [one, other] = [config({ access: { to: at('/b') } }), config({ access: { to: at('/c') } })];
  logs.prepare(one);
  t.ok(receiver('/b').isOpen);
  logs.prepare(other);
  t.notOk(receiver('/b').isOpen);
  logs.configure(config({ access: { to: at('/a') } }));
  t.notOk(receiver('/c').isOpen);
  t.ok(receiver('/a').isOpen);
});

void t.test('level and form change with a reload, also where the destination stays', async t => {
  const { logs, settle, said, receiver } = create({ to: at('/log') });
  logs.log.write('debug', 'quiet', 'not this');
  logs.configure(config({ to: at('/log'), level: 'debug' }));
  logs.log.write('debug', 'loud', 'this');
  logs.configure(config({ to: at('/log'), level: 'error' }));
  logs.log.write('warn', 'quiet', 'not this');
  logs.askedFor.write('info', 'asked', 'whatever the level is');
  await settle();
  t.match(said('/log'), [{ event: 'loud' }, { event: 'asked' }]);
  t.ok(receiver('/log').isOpen);
});
