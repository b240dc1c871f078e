import t from 'tap';
import { readDocument } from '../../../../src/config/source/document.ts';
import { fc } from '../../../harness/properties.ts';

const env = { HOST: 'db1', N: '7', YES: 'true', SECRET: 'hunter2', LIKE_NULL: 'null' };
const read = (text: string) => readDocument(text, env);
/** Each issue as `line:column message`. */
const issues = (text: string) =>
  read(text).issues.map(({ position, message }) => `${position.line}:${position.column} ${message}`);

await t.test('JSON is read as what it is, also when tabs indent it', t => {
  const data = { a: [1, 'x', null, true], b: { 'c d': -1.5e3, e: 'ü\n' } };
  for (const indent of [0, 2, '\t']) t.strictSame(read(JSON.stringify(data, null, indent)).value, data);
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), json => {
      const text = JSON.stringify(json);
      if (text.includes('${')) return true;
      return JSON.stringify(read(text).value) === text;
    }),
  );
  t.end();
});

await t.test(
  'YAML is read by the rules of 1.2: off is a text, merge keys and octal numbers are not special',
  t => {
    t.strictSame(read('a: off\nb: no\nc: 012\nd: 2001-01-01\n<<: {e: 1}\n1: x').value, {
      a: 'off',
      b: 'no',
      c: 12,
      d: '2001-01-01',
      '<<': { e: 1 },
      1: 'x',
    });
    t.strictSame(read('%YAML 1.1\n---\na: off').value, { a: 'off' });
    t.strictSame(read('\uFEFFa: 1\r\nb: 2\r\n').value, { a: 1, b: 2 });
    t.end();
  },
);

await t.test(
  'a place is that of the value, of an unknown key, or of the nearest parent of what is missing',
  t => {
    const document = read(
      '# comment\nlist:\n  - one: 1\n    two:  22\n  - {three: x, "f o": y}\nempty:\nalias: &a\n  k: v\nuse: *a\n',
    );
    const place = (kind: 'value' | 'unknownKey' | 'missing', ...path: (string | number)[]) => {
      const { line, column } = document.locate({ kind, path });
      return `${line}:${column}`;
    };
    t.equal(place('value', 'list', 0, 'two'), '4:11');
    t.equal(place('unknownKey', 'list', 0, 'two'), '4:5');
    t.equal(place('value', 'list', 1, 'three'), '5:13');
    t.equal(place('unknownKey', 'list', 1, 'f o'), '5:16');
    t.equal(place('missing', 'list', 1, 'four'), '5:5');
    t.equal(place('missing', 'list', 2, 'one', 'x'), '3:3');
    t.equal(place('missing', 'nope'), '2:1');
    t.match(place('value', 'empty'), /^6:/);
    t.equal(place('value', 'use', 'k'), '8:6');
    t.equal(place('value', 'use'), '9:6');
    t.end();
  },
);

await t.test('variables are filled into values, and unquoted ones may become numbers and booleans', t => {
  t.strictSame(
    read('a: ${HOST}:${N}\nb: ${N}\nc: "${N}"\nd: ${YES}\ne: ${LIKE_NULL}\nf: $${N}\n${N}: x').value,
    {
      a: 'db1:7',
      b: 7,
      c: '7',
      d: true,
      e: 'null',
      f: '${N}',
      '${N}': 'x',
    },
  );
  t.strictSame(read('{"a": "${N}", "b": ["${HOST}"]}').value, { a: '7', b: ['db1'] });
  t.end();
});

await t.test('what was written is known where a variable was filled in, and only there', t => {
  const document = read('a: &x "${SECRET}"\nb: plain\nc: $${SECRET}\nd: *x\ne: [x, "${SECRET}"]');
  t.equal(document.written(['a']), '${SECRET}');
  t.equal(document.written(['d']), '${SECRET}');
  t.equal(document.written(['e', 1]), '${SECRET}');
  for (const path of [['b'], ['c'], ['e'], ['e', 0], ['e', 2], ['nope'], []])
    t.equal(document.written(path), undefined);
  t.end();
});

await t.test('missing variables and malformed references are told with their place, all of them', t => {
  t.strictSame(issues('a:\n  b: ${GONE}/${ALSO}\n  c: "${HOST"\n'), [
    '2:6 the environment variable GONE is not set; set it, or give a default as in ${GONE:-value}',
    '2:6 the environment variable ALSO is not set; set it, or give a default as in ${ALSO:-value}',
    '3:6 expected ${NAME} or ${NAME:-default}, or $${ for a literal ${, got "${HOST"',
  ]);
  const document = read('a: ${GONE}\nb: x');
  t.ok(document.isUnfilled(['a']));
  t.notOk(document.isUnfilled(['b']));
  t.end();
});

await t.test('a key given twice is told with both places', t => {
  t.strictSame(issues('a: 1\nb: 2\na: 3'), ['3:1 given twice; it stands in line 1 already']);
  t.strictSame(issues('{"l": [{"x": 1,\n "x": 2}]}'), ['2:2 given twice; it stands in line 1 already']);
  t.end();
});

await t.test('what is not well-formed is told with its place, and has no value', t => {
  const cases: Record<string, RegExp> = {
    'a:\n\t- 1': /^2:1 tabs cannot indent YAML; expected spaces$/,
    'a: [1': /^1:\d not valid YAML: /,
    'a: 1\n---\nb: 2': /^2:1 a second YAML document begins here; expected only one$/,
    'a: *nope': /^1:4 no anchor &nope stands before the alias \*nope$/,
    'a: !secret x': /^1:4 tags such as !name have no meaning here; expected a plain value$/,
    '? [a]\n: 1': /^1:3 expected a plain word as key, got a list or a mapping$/,
    '%FOO\n---\na: 1': /^1:1 unknown YAML directive$/,
    'a: { t: ${N} }': /not valid YAML: .*; inside \{ \} and \[ \] a value with \$\{…\} needs quotes$/,
    '{"a": 1': /^1:\d not valid YAML/,
    'a: "\\q"': /^1:\d not valid YAML/,
  };
  for (const [text, expected] of Object.entries(cases)) {
    t.match(issues(text)[0], expected, JSON.stringify(text));
    t.equal(read(text).value, undefined);
  }
  t.end();
});

await t.test('an alias bomb is refused, a fair use of aliases is not', t => {
  const levels = 'abcdefghi'.split('');
  const bomb = levels.map((name, level) => {
    const inner = level === 0 ? '"lol"' : `*${levels[level - 1] ?? ''}`;
    return `${name}: &${name} [${Array(9).fill(inner).join(', ')}]`;
  });
  t.match(issues(bomb.join('\n')), ['1:1 aliases expand too far; expected at most 256 of them']);
  const many = (count: number) => `a: &a {b: 1}\nl:\n${'- *a\n'.repeat(count)}`;
  t.strictSame(issues(many(256)), []);
  t.strictSame(issues(many(257)), ['259:3 aliases expand too far; expected at most 256 of them']);
  t.equal(read('a: &a [*a]').issues.length, 0, 'a cycle is data, for the checks to refuse');
  t.end();
});

await t.test('1 MiB of anything is answered in bounded time', t => {
  const size = 1024 * 1024;
  const fill = (text: string) => text.repeat(Math.floor(size / text.length));
  for (const text of ['[', '{a: ', '- ', '? ', 'a: ']) {
    t.match(issues(fill(text)), [/^1:\d+ nested too deeply$/], JSON.stringify(text));
  }
  t.match(issues(fill('"')), [/too many YAML tokens$/]);
  t.match(issues(Array.from({ length: 1400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')), [
    /nested too deeply$/,
  ]);
  t.ok(read(fill('a')).issues.length === 0);
  t.end();
});

await t.test('whatever the text, reading it does not throw', t => {
  const piece = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    "'",
    '&a ',
    '*a',
    '!',
    '|',
    '>',
    '#',
    '${',
    '}',
    '${N}',
    '\t',
    '---\n',
    '%',
    '\u0000',
    ',',
    '?',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map(pieces => pieces.join('')),
      ),
      text => {
        const document = read(text);
        document.locate({ kind: 'value', path: ['a', 0, 'b'] });
        return document.value !== undefined || document.issues.length > 0;
      },
    ),
    { numRuns: 500 },
  );
  t.end();
});
