import t from 'tap';
import { interpolate } from '../../../../src/config/source/interpolate.ts';
import { fc } from '../../../harness/properties.ts';

const env = { HOST: 'db1', PORT: '5432', EMPTY: '', TRICKY: '${HOST}' };

await t.test('variables are filled in, wherever they stand in the text', t => {
  const cases: Record<string, string> = {
    '${HOST}:${PORT}': 'db1:5432',
    'x${EMPTY}y': 'xy',
    '${NOPE:-10.0.0.1:80}': '10.0.0.1:80',
    '${EMPTY:-default}': 'default',
    '${HOST:-default}': 'db1',
    '${NOPE:-}': '',
    '${NOPE:-a:-b}': 'a:-b',
    '$HOST and $$ and $': '$HOST and $$ and $',
    '$${HOST}': '${HOST}',
    '$$${HOST}': '$${HOST}',
  };
  for (const [text, filled] of Object.entries(cases)) {
    t.match(interpolate(text, env), { ok: true, text: filled }, text);
  }
  t.end();
});

await t.test('what a variable contains is not looked at again', t => {
  t.match(interpolate('${TRICKY}', env), { ok: true, text: '${HOST}' });
  t.end();
});

await t.test('an escape alone does not count as a variable', t => {
  t.same(interpolate('$${HOST}', env).variables, []);
  t.same(interpolate('${HOST}', env).variables, ['HOST']);
  t.same(interpolate('${NOPE:-x} ${EMPTY}', env).variables, ['NOPE', 'EMPTY']);
  t.end();
});

await t.test('every missing variable and every malformed reference is told', t => {
  t.same(interpolate('${A} ${HOST} ${B} ${a-b} ${} ${HOST', env), {
    ok: false,
    variables: ['A', 'HOST', 'B'],
    missing: ['A', 'B'],
    malformed: ['${a-b}', '${}', '${HOST'],
  });
  t.end();
});

await t.test('names of built-in object properties are not variables', t => {
  t.same(interpolate('${constructor}${__proto__}', env), {
    ok: false,
    variables: ['constructor', '__proto__'],
    missing: ['constructor', '__proto__'],
    malformed: [],
  });
  t.end();
});

await t.test('text without a reference comes back as it was', t => {
  fc.assert(
    fc.property(
      fc.string().filter(text => !text.includes('${')),
      text => {
        const result = interpolate(text, env);
        return result.ok && result.text === text && result.variables.length === 0;
      },
    ),
  );
  t.end();
});
