/**
 * What comes from Redis is believed only in the shape that lb4 writes.
 */
import t from 'tap';
import {
  encodeChanges,
  encodeCounts,
  encodeUnseen,
  parseChange,
  parseReply,
  type Roster,
} from '../../../../src/control/mirror/exchange-codec.ts';

const { backends, counts } = encodeCounts(
  new Map([
    ['b:1', 7],
    ['a:1', 2_000_000_000],
  ]),
);
const ROSTER: Roster = { epoch: 'e1', list: backends, backends: ['a:1', 'b:1'], others: ['web2'] };
/** To whom the epoch is new. */
const REPLY: readonly unknown[] = [
  Buffer.from('totals'),
  17,
  0,
  1500,
  120,
  1,
  Buffer.from('e1'),
  counts,
  Buffer.from(backends),
  [Buffer.from('web2')],
];

const change = (further: object, deltas: object = { 'a:1': 1 }): string =>
  JSON.stringify({ instance: 'web2', version: '18', deltas, ...further });

void t.test('counts are written in the order of the names', async t => {
  t.equal(backends, 'a:1\0b:1\0');
  t.strictSame([...counts], [0x77, 0x35, 0x94, 0x00, 0, 0, 0, 7]);
  t.strictSame(encodeCounts(new Map()), { names: [], backends: '', counts: Buffer.alloc(0) });
});

void t.test('what is no number of sessions is none in Redis', async t => {
  const odd = [-1, NaN, Infinity, 1.6, 2 ** 40];
  const encoded = encodeCounts(new Map(odd.map((count, i) => [String(i), count])));
  t.strictSame(
    odd.map((_, i) => encoded.counts.readUInt32BE(4 * i)),
    [0, 0, 0, 2, 2 ** 31 - 1],
  );
  t.strictSame([1.2345, -1, NaN, Infinity].map(encodeUnseen), [1235, 0, 0, 0]);
});

void t.test('what has changed is written by place and difference', async t => {
  const after = encodeCounts(
    new Map([
      ['b:1', 5],
      ['a:1', 2_000_000_000],
    ]),
  );
  const numbers = (bytes: Buffer): number[] =>
    Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32BE(4 * i));
  const before = encodeCounts(
    new Map([
      ['a:1', 2_000_000_000],
      ['b:1', 7],
    ]),
    after,
  );
  t.strictSame(numbers(encodeChanges(before, after)), [2, -2]);
  t.strictSame(numbers(encodeChanges(before, before)), []);
  t.strictSame(encodeCounts(new Map([['c:1', 0]]), before).names, ['c:1'], 'other names are not taken over');
  t.strictSame(encodeCounts(new Map([['a:1', 0]]), before).names, ['a:1']);
});

void t.test('a reply is read as it was written', async t => {
  const answer = {
    kind: 'totals',
    version: 17,
    wasUnknown: false,
    unseen: 1.5,
    others: ['web2'],
    ageMs: 120,
    isTelling: true,
    totals: new Map([
      ['a:1', 2_000_000_000],
      ['b:1', 7],
    ]),
  };
  t.strictSame(parseReply(REPLY, undefined), { kind: 'answered', answer, roster: ROSTER });
  t.match(parseReply(REPLY.with(2, 1), undefined), { answer: { wasUnknown: true } });
  t.match(parseReply(REPLY.with(5, 0), undefined), { answer: { isTelling: false } });
  t.match(parseReply(REPLY.with(7, Buffer.alloc(0)).with(8, Buffer.alloc(0)), undefined), {
    answer: { totals: new Map() },
    roster: { list: '', backends: [] },
  });
  t.strictSame(parseReply([Buffer.from('nameTaken')], undefined), { kind: 'nameTaken' });
  t.strictSame(parseReply([Buffer.from('again')], undefined), { kind: 'again' });
});

void t.test('a reply without names is read by those known, of the same epoch only', async t => {
  const short = REPLY.slice(0, 8);
  t.strictSame(parseReply(short, ROSTER), parseReply(REPLY, undefined));
  t.strictSame(parseReply(REPLY, { ...ROSTER, epoch: 'e0', backends: [] }), parseReply(REPLY, undefined));
  t.equal(parseReply(short, undefined), undefined);
  t.equal(parseReply(short, { ...ROSTER, epoch: 'e0' }), undefined);
  t.equal(parseReply(short, { ...ROSTER, backends: ['a:1'] }), undefined);
});

void t.test('a reply of any other shape is none', async t => {
  const others: readonly (readonly unknown[])[] = [
    [],
    ['totals'],
    [Buffer.from('something')],
    REPLY.slice(0, 7),
    REPLY.slice(0, 9),
    REPLY.with(1, '17'),
    REPLY.with(1, -1),
    REPLY.with(2, 2),
    REPLY.with(3, null),
    REPLY.with(4, -1),
    REPLY.with(5, 2),
    REPLY.with(6, 'e1'),
    REPLY.with(7, counts.subarray(1)),
    REPLY.with(7, 'ab'),
    REPLY.with(8, Buffer.from('a:1\0')),
    REPLY.with(8, Buffer.from('a:1\0b:1')),
    REPLY.with(8, backends),
    REPLY.with(9, 'web2'),
    REPLY.with(9, ['web2']),
  ];
  for (const reply of others) t.equal(parseReply(reply, undefined), undefined, JSON.stringify(reply));
  for (const reply of [null, undefined, 'OK', 1, {}]) t.equal(parseReply(reply, undefined), undefined);
});

void t.test('a change is read as it was told', async t => {
  t.strictSame(parseChange('app', change({}, { 'a:1': -2, 'b:1': 3 })), {
    upstream: 'app',
    instance: 'web2',
    version: 18,
    deltas: new Map([
      ['a:1', -2],
      ['b:1', 3],
    ]),
  });
});

void t.test('what is no change is ignored', async t => {
  const nine = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`x:${i}`, 1]));
  for (const message of [
    '',
    '{',
    'null',
    '[]',
    '1',
    change({}, {}),
    change({}, nine),
    change({}, { 'a:1': '1' }),
    change({}, { 'a:1': 1.5 }),
    change({ deltas: null }),
    change({ deltas: [1] }),
    change({ instance: 7 }),
    change({ version: 'x' }),
    change({ version: -1 }),
    change({ version: '1e400' }),
    change({ padding: 'x'.repeat(8192) }),
  ]) {
    t.equal(parseChange('app', message), undefined, message.slice(0, 80));
  }
});
