import t from 'tap';
import { at, indexAt, numberAt } from '../../strategies/at.ts';

await t.test('gives the element that is there', t => {
  t.equal(at(['a', 'b'], 1), 'b');
  t.end();
});

await t.test('says which element is not there', t => {
  t.throws(() => at(['a', 'b'], 2), new RangeError('no element at 2 of 2'));
  t.throws(() => at([], -1), new RangeError('no element at -1 of 0'));
  t.end();
});

await t.test('gives the number that is there, and none where none is', t => {
  t.equal(numberAt(Float64Array.of(1.5, 2.5), 1), 2.5);
  t.ok(Number.isNaN(numberAt(Float64Array.of(1.5), 1)));
  t.equal(indexAt(Int32Array.of(1, 2), 1), 2);
  t.ok(Number.isNaN(indexAt(Int32Array.of(1), -1)));
  t.end();
});
