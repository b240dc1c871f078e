import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { problems, withListener } from './small-inputs.ts';

await t.test('clients are kept back for whole seconds', t => {
  t.equal(
    problems(withListener({ deferAccept: '500ms' })),
    'listeners[0].deferAccept: expected a duration from 1s to 1m, or 0 for letting them in at once, got "500ms"',
  );
  t.end();
});

await t.test('a listener with unix sockets alone cannot keep clients back', t => {
  t.equal(
    problems(withListener({ bind: ['unix:/tmp/a', 'unix:/tmp/b'], deferAccept: '5s' })),
    'listeners[0].deferAccept: expected no deferAccept, because unix sockets have none, got "5s"',
  );
  t.end();
});

await t.test('beside a TCP address they are ignored, and off is no mistake', t => {
  for (const keys of [
    { bind: ['unix:/tmp/a', ':80'], deferAccept: '5s' },
    { bind: ['unix:/tmp/a'], deferAccept: 0 },
  ])
    t.equal(parseConfig(withListener(keys)).ok, true);
  t.end();
});
