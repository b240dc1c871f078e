import t from 'tap';
import { printable, printableJson } from '../../../src/support/printable.ts';
import { fc } from '../../harness/properties.ts';

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

void t.test('what moves a cursor, ends a line or turns the reading direction is escaped', async t => {
  t.equal(printable('a\nb\rc\td'), 'a\\nb\\rc\\td');
  t.equal(printable('\x1b[31mred\x07\x7f'), '\\x1b[31mred\\x07\\x7f');
  t.equal(printable('\x9b2J'), '\\x9b2J', 'also the escapes of one byte');
  t.equal(printable('\u2028\u2029'), '\\u2028\\u2029');
  t.equal(printable('\u202eexe.txt\u2066'), '\\u202eexe.txt\\u2066');
  t.equal(printable('a\u200bb\ufeff'), 'a\\u200bb\\ufeff', 'what cannot be seen');
  t.equal(printable('\u{e0041}'), '\\u{e0041}');
  t.equal(printable('\ud800'), '\\ud800', 'half a character');
});

void t.test('all else stands as it is', async t => {
  for (const text of ['', 'plain', 'Zürich, 日本, 🙂', 'C:\\new', '"quoted"']) t.equal(printable(text), text);
});

void t.test('any text becomes printable, and a second time changes nothing', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const once = printable(text);
      return !UNPRINTABLE.test(once) && printable(once) === once;
    }),
  );
});

void t.test('JSON stays the same value', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const json = printableJson(JSON.stringify({ text }));
      return !UNPRINTABLE.test(json) && (JSON.parse(json) as { text: string }).text === text;
    }),
  );
});
