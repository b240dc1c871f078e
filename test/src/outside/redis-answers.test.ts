/**
 * Answers of what stands where Redis should: whatever they are, the process lives, the exchange fails with a word for it,
 * and works again as soon as Redis answers.
 *
 * What a real Redis may hold that lb4 has not put there is in mirror/redis-strange-values.test.ts.
 */
import t, { type Test } from 'tap';
import { ReplyFrames } from '../../../src/control/mirror/reply-frames.ts';
import { SILENCE, startOddRedis, type Answer } from '../../harness/odd-redis.ts';
import { fc } from '../../harness/properties.ts';
import { shareOver } from '../../harness/sharing-instance.ts';

const KINDS = ['single', 'sentinel', 'cluster'] as const;
type Kind = (typeof KINDS)[number];
const STRANGE = 'what answers is no Redis, or a broken one: it sends what Redis does not';

const range = (first: number | string, last: number | string, host: string, port: number | string): string =>
  `*1\r\n*3\r\n:${first}\r\n:${last}\r\n*2\r\n${host}:${port}\r\n`;
const LOCAL = '$9\r\n127.0.0.1\r\n';

/** To every command. */
const ODD: Readonly<Record<string, Answer>> = {
  'an empty list': '*0\r\n',
  'an empty text': '$0\r\n\r\n',
  null: '$-1\r\n',
  'null of RESP3': '_\r\n',
  'a list of nothing': '*-1\r\n',
  'a list of null': '*1\r\n$-1\r\n',
  'a number': ':1\r\n',
  true: '#t\r\n',
  'an empty push': '>0\r\n',
  'a push of null': '>1\r\n_\r\n',
  'a push of no channel': '>2\r\n$9\r\nsubscribe\r\n_\r\n',
  'a message of null': '>3\r\n$7\r\nmessage\r\n_\r\n_\r\n',
  'a list of 10^9': '*1000000000\r\n',
  'a text of 10^9': '$1000000000\r\n',
  'lists in lists': '*1\r\n'.repeat(10_000),
  'a line without end': Buffer.alloc(200_000, '+'),
  'another protocol': 'HTTP/1.1 400 Bad Request\r\n\r\n',
  bytes: Buffer.alloc(5_000, 0xff),
  'a line that ends in LF': '+OK\n',
  'a text longer than it says': '$1\r\nabc\r\n',
  'two answers': '+OK\r\n+OK\r\n',
  'a redirection to nowhere': '-MOVED\r\n',
};

/** To one command only; the others are answered rightly. */
const TO_ONE: readonly (readonly [Kind, string, string, Answer])[] = [
  ...(['eval', 'subscribe', 'hello'] as const).flatMap(command =>
    KINDS.flatMap(kind => [
      [kind, command, 'null', '$-1\r\n'] as const,
      [kind, command, 'an empty list', '*0\r\n'] as const,
      [kind, command, 'two answers', '+OK\r\n$-1\r\n'] as const,
    ]),
  ),
  ['cluster', 'cluster', 'null', '$-1\r\n'],
  ['cluster', 'cluster', 'a slot of 2^40', range(0, 2 ** 40, LOCAL, 7000)],
  ['cluster', 'cluster', 'a slot below zero', range(-1, 5, LOCAL, 7000)],
  ['cluster', 'cluster', 'a slot of null', '*1\r\n*2\r\n$-1\r\n$-1\r\n'],
  ['cluster', 'cluster', 'a list of null', '*1\r\n$-1\r\n'],
  ['cluster', 'cluster', 'port 0', range(0, 5, LOCAL, 0)],
  ['cluster', 'cluster', 'port 99999', range(0, 5, LOCAL, 99_999)],
  [
    'cluster',
    'cluster',
    'all slots, many times',
    `*16384\r\n${`*3\r\n:0\r\n:16383\r\n*2\r\n${LOCAL}:7000\r\n`.repeat(16_384)}`,
  ],
  ['cluster', 'eval', 'a redirection without a place', '-MOVED 1\r\n'],
  ['cluster', 'eval', 'a redirection to port 99999', '-MOVED 1 127.0.0.1:99999\r\n'],
  ['cluster', 'eval', 'a redirection of no slot', '-MOVED __proto__ 127.0.0.1:1\r\n'],
  ['cluster', 'eval', 'asking nowhere', '-ASK\r\n'],
  ['cluster', 'eval', 'asking where nobody is', '-ASK 1 127.0.0.1:1\r\n'],
  ['sentinel', 'sentinel', 'a number', ':1\r\n'],
  ['sentinel', 'sentinel', 'a list of null', '*2\r\n$-1\r\n$-1\r\n'],
  ['sentinel', 'sentinel', 'port x', `*2\r\n${LOCAL}$1\r\nx\r\n`],
];

/** The exchange fails while Redis answers so, and no longer than that. */
async function survives(t: Test, kind: Kind, command: string, name: string, answer: Answer): Promise<void> {
  const redis = await startOddRedis(t);
  redis.answers = { [command]: answer };
  const instance = shareOver(t, redis.connection(kind));
  const first = await instance.failure();
  // Exchanges do without what others tell; of HELLO's answer only the kind matters.
  if (command !== 'subscribe' && command !== 'hello') t.ok(first, `${kind}, ${command}: ${name}`);
  redis.answers = {};
  await instance.untilTrouble('fine');
  instance.exchange.close();
}

void t.test('no answer ends the process, and it is over when it is over', async t => {
  for (const kind of KINDS) {
    await Promise.all(Object.entries(ODD).map(([name, answer]) => survives(t, kind, 'any', name, answer)));
  }
  await Promise.all(TO_ONE.map(args => survives(t, ...args)));
});

void t.test('what is strange is called so, however Redis is reached', async t => {
  for (const [kind, command] of [
    ['single', 'any'],
    ['sentinel', 'any'],
    ['cluster', 'any'],
    ['cluster', 'cluster'],
    ['sentinel', 'sentinel'],
    ['sentinel', 'hello'],
  ] as const) {
    const redis = await startOddRedis(t);
    redis.answers = { [command]: command === 'hello' ? ':3\r\n' : '*1\r\n$-1\r\n' };
    const instance = shareOver(t, redis.connection(kind));
    t.match(await instance.failure(), { reason: 'error', message: STRANGE }, `${kind}, ${command}`);
    redis.answers = {};
    await instance.untilTrouble('fine');
  }
});

void t.test('a Redis from before RESP3 answers in lists, and is understood', async t => {
  const redis = await startOddRedis(t);
  const subscribed = `*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n`;
  redis.answers = { hello: "-ERR unknown command 'HELLO'\r\n", subscribe: subscribed, ping: SILENCE };
  const instance = shareOver(t, redis.connection('single'));
  t.equal(await instance.trouble(), 'fine');
});

const text = fc.constantFrom(
  ...['', 'a', 'subscribe', 'message', 'unsubscribe', 'pmessage', 'totals', 'OK', '127.0.0.1', '1', 'MOVED'],
);
const leaf = fc.oneof(
  text.map(words => `$${words.length}\r\n${words}\r\n`),
  text.map(words => `+${words}\r\n`),
  fc.constantFrom(
    '-ERR\r\n',
    '-MOVED 1 x:1\r\n',
    '-ASK 2 \r\n',
    '-TRYAGAIN\r\n',
    '-NOSCRIPT\r\n',
    '-LOADING\r\n',
  ),
  fc.constantFrom(
    ':0\r\n',
    ':1\r\n',
    ':-1\r\n',
    ':16383\r\n',
    ':1099511627776\r\n',
    '_\r\n',
    '$-1\r\n',
    '*-1\r\n',
  ),
  fc.constantFrom(
    '#f\r\n',
    ',1.5\r\n',
    ',inf\r\n',
    '(12345678901234567890\r\n',
    '=7\r\ntxt:abc\r\n',
    '!3\r\nERR\r\n',
  ),
);
const { value } = fc.letrec(tie => ({
  value: fc.oneof({ weight: 3, arbitrary: leaf }, { weight: 2, arbitrary: tie('list') }),
  list: fc
    .tuple(fc.constantFrom('*', '*', '>', '~', '%'), fc.array(tie('value'), { maxLength: 4 }))
    .map(([type, items]) => {
      const count = type === '%' ? Math.ceil(items.length / 2) : items.length;
      return `${type}${count}\r\n${items.join('')}${items.length % 2 === 1 && type === '%' ? '_\r\n' : ''}`;
    }),
}));
/** Values, and values with something wrong in their bytes. */
const answer = fc.oneof(
  value.map(String),
  fc.array(value.map(String), { minLength: 2, maxLength: 3 }).map(values => values.join('')),
  fc
    .tuple(value.map(String), fc.nat({ max: 40 }), fc.constantFrom('', '\r', '\n', '9', '-', '>', '*3\r\n'))
    .map(
      ([bytes, at, other]) =>
        bytes.slice(0, at % bytes.length) + other + bytes.slice((at % bytes.length) + 1),
    ),
);
const command = fc.constantFrom('any', 'hello', 'client', 'eval', 'subscribe', 'cluster', 'sentinel');
const attempt = fc.tuple(fc.constantFrom(...KINDS), command, answer);

void t.test('no bytes end the process', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(attempt, { minLength: 8, maxLength: 8 }), async attempts => {
      await Promise.all(attempts.map(([kind, to, bytes]) => once(kind, to, bytes)));
    }),
    { numRuns: 25 },
  );
  t.pass();

  async function once(kind: Kind, to: string, bytes: string): Promise<void> {
    const redis = await startOddRedis(t);
    redis.answers = { [to]: bytes };
    const instance = shareOver(t, redis.connection(kind), { timeoutMs: 100 });
    await instance.failure();
    instance.exchange.close();
  }
});

void t.test('replies are the same in whatever pieces they come', t => {
  fc.assert(
    fc.property(
      fc.array(value.map(String), { maxLength: 5 }),
      fc.array(fc.nat({ max: 200 })),
      (values, cuts) => {
        // A push may not stand in a list.
        fc.pre(!values.some(each => /(?!^)>/.test(each)));
        const bytes = Buffer.from(values.join(''));
        const frames = new ReplyFrames();
        const places = [0, ...cuts.filter(cut => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const whole = places.flatMap((place, i) => {
          const piece = bytes.subarray(place, places[i + 1] ?? bytes.length);
          return [...frames.take(piece)].map(String);
        });
        t.strictSame(whole, values);
      },
    ),
    { verbose: false },
  );
  t.end();
});
