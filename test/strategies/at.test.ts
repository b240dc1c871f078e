import t from 'tap';
import { at } from '../../strategies/at.ts';

await t.test('gives the element that is there', t => {
  t.equal(at(['a', 'b'], 1), 'b');
  t.end();
});

await t.test('says which element is not there', t => {
  t.throws(() => at(['a', 'b'], 2), new RangeError('no element at 2 of 2'));
  t.throws(() => at([], -1), new RangeError('no element at -1 of 0'));
  t.end();
});
