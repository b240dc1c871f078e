/**
 * What comes from Redis is believed only in the shape that lb4 writes.
 */
import t from 'tap';
import { encodeCounts, parseChange, parseReply } from '../../../src/mirror/exchange-codec.ts';

const { backends, counts } = encodeCounts(
  new Map([
    ['b:1', 7],
    ['a:1', 4_000_000_000],
  ]),
);
const REPLY: readonly unknown[] = [
  Buffer.from('totals'),
  17,
  0,
  1500,
  [Buffer.from('web2'), 120],
  Buffer.from(backends),
  counts,
];

const change = (further: object, deltas: object = { 'a:1': 1 }): string =>
  JSON.stringify({ instance: 'web2', version: '18', deltas, ...further });

void t.test('counts are written in the order of the names', async t => {
  t.equal(backends, 'a:1\0b:1\0');
  t.strictSame([...counts], [0xee, 0x6b, 0x28, 0x00, 0, 0, 0, 7]);
  t.strictSame(encodeCounts(new Map()), { backends: '', counts: Buffer.alloc(0) });
});

void t.test('a reply is read as it was written', async t => {
  t.strictSame(parseReply(REPLY), {
    kind: 'totals',
    version: 17,
    wasUnknown: false,
    unseen: 1.5,
    others: [{ instance: 'web2', ageMs: 120 }],
    totals: new Map([
      ['a:1', 4_000_000_000],
      ['b:1', 7],
    ]),
  });
  t.match(parseReply(REPLY.with(2, 1)), { wasUnknown: true });
  t.match(parseReply(REPLY.with(5, Buffer.alloc(0)).with(6, Buffer.alloc(0))), { totals: new Map() });
  t.strictSame(parseReply([Buffer.from('nameTaken')]), { kind: 'nameTaken' });
});

void t.test('a reply of any other shape is none', async t => {
  const others: readonly (readonly unknown[])[] = [
    [],
    ['totals'],
    [Buffer.from('something')],
    REPLY.slice(0, 6),
    REPLY.with(1, '17'),
    REPLY.with(1, -1),
    REPLY.with(2, 2),
    REPLY.with(3, null),
    REPLY.with(4, [Buffer.from('web2')]),
    REPLY.with(4, ['web2', 1]),
    REPLY.with(4, [Buffer.from('web2'), -1]),
    REPLY.with(5, Buffer.from('a:1\0')),
    REPLY.with(5, Buffer.from('a:1\0b:1')),
    REPLY.with(5, backends),
    REPLY.with(6, counts.subarray(1)),
    REPLY.with(6, 'ab'),
  ];
  for (const reply of others) t.equal(parseReply(reply), undefined, JSON.stringify(reply));
  for (const reply of [null, undefined, 'OK', 1, {}]) t.equal(parseReply(reply), undefined);
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
