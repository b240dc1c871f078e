import t from 'tap';
import {
  barOf,
  charsetOf,
  CHARSETS,
  fit,
  glyphsOf,
  safe,
  sparkline,
} from '../../../../src/cli/top/glyphs.ts';
import { fc } from '../../../harness/properties.ts';

const [braille, block, ascii] = CHARSETS.map(glyphsOf);
if (braille === undefined || block === undefined || ascii === undefined) throw new Error('three sets');

void t.test('the charset follows locale and terminal', async t => {
  t.equal(charsetOf({ LANG: 'en_US.UTF-8', TERM: 'xterm' }), 'braille');
  t.equal(charsetOf({ LANG: 'C.utf8' }), 'braille');
  t.equal(charsetOf({ LC_ALL: 'C', LANG: 'en_US.UTF-8' }), 'ascii', 'LC_ALL is stronger');
  t.equal(charsetOf({ LC_ALL: '', LANG: 'en_US.UTF-8', TERM: 'linux' }), 'block', 'its font has no braille');
  t.equal(charsetOf({}), 'ascii');
});

void t.test('a bar is full at its limit, and never empty for something', async t => {
  t.equal(barOf(0, 4, block), '░░░░');
  t.equal(barOf(0.0001, 4, block), '▏░░░');
  t.equal(barOf(0.5, 4, block), '██░░');
  t.equal(barOf(0.9999, 4, block), '███▉');
  t.equal(barOf(1, 4, block), '████');
  t.equal(barOf(7, 4, block), '████');
  t.equal(barOf(0.5, 4, ascii), '##..');
});

void t.test('a line has its latest value at the right, and its highest one fills a cell', async t => {
  t.equal(sparkline([1, 4, 8], 5, block), '  ▁▄█');
  t.equal(sparkline([8, 0, 8, 4], 2, block), '█▄', 'older values leave');
  t.equal(sparkline([1, 2, 3, 4], 3, braille), ' ⣠⣾');
  t.equal(sparkline([0, 0], 3, braille), '   ');
  t.equal(sparkline([1, 2], 3, ascii), ' =@');
  t.equal(sparkline([], 3, ascii), '   ');
});

void t.test('text from elsewhere takes one cell for each character, whatever is in it', async t => {
  t.equal(safe('\u001b[2J', braille), '\\x1b[2J');
  t.equal(safe('a\u202eb', braille), 'a\\u202eb');
  t.equal(safe('日本', braille), '\\u{65e5}\\u{672c}', 'two cells each');
  t.equal(safe('e\u0301 👍', braille), 'e\\u{301} \\u{1f44d}', 'none, and two');
  t.equal(safe('א', braille), '\\u{5d0}', 'from the right');
  t.equal(safe('Zürich → ok', braille), 'Zürich → ok');
  t.equal(safe('Zürich', ascii), 'Z\\u{fc}rich');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      t.notMatch(safe(text, braille), /[\p{C}\p{M}]|[^\p{ASCII}\u00a1-\u058f\u2010-\u2027\u2190-\u21ff]/u);
      t.match(safe(text, ascii), /^[ -~]*$/);
    }),
  );
});

void t.test('a text that is too long loses its end or its middle', async t => {
  t.equal(fit('10.0.0.1:8080', 20, braille), '10.0.0.1:8080');
  t.equal(fit('10.0.0.1:8080', 8, braille, 'ends'), '10…:8080');
  t.equal(fit('a reason', 5, braille), 'a re…');
  t.equal(fit('a reason', 5, ascii), 'a re~');
  t.equal(fit('ab', 1, braille), 'a');
  t.equal(fit('ab', 0, braille), '');
});
