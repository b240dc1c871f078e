/** The cost of a system call, per FFI: every FFI of this Node has a column, and every call a figure in it. */
import t from 'tap';
import { measureFfi, parseFfiOptions } from '../../bench/ffi/ffi.ts';
import { renderFfiTable } from '../../bench/ffi/ffi-table.ts';
import { FFI_NAMES, loadLibc } from '../../src/linux/libc.ts';

const missing = loadLibc();
const skip = missing.ok ? false : missing.reason;

void t.test('every call has a figure for every FFI that is there', { skip }, async t => {
  let nowMs = 0;
  const said: string[] = [];
  const table = measureFfi(
    () => (nowMs += 1),
    text => said.push(text),
    { batch: 100, warmUps: 1, batches: 2 },
  );
  const there = FFI_NAMES.filter(ffi => loadLibc({ ffis: [ffi] }).ok);
  const [head = '', , ...rows] = table.split('\n');
  t.ok(head.endsWith(` ns per call | ${there.join(' | ')} |`), head);
  t.ok(rows.length >= 8);
  // One millisecond by that clock for 100 calls.
  for (const row of rows) t.ok(row.endsWith(there.map(() => ' | 10000').join('') + ' |'), row);
  t.equal(said.length, FFI_NAMES.length - there.length);
});

void t.test('a call that one FFI was not measured with has a dash', async t => {
  const rows = [
    { name: 'a', ns: { koffi: 1.4, 'node:ffi': 2.6 } },
    { name: 'b', ns: { koffi: 3 } },
  ];
  t.equal(
    renderFfiTable('v26', rows),
    '| Node v26, ns per call | koffi | node:ffi |\n|---|---:|---:|\n| a | 1 | 3 |\n| b | 3 | – |',
  );
});

void t.test('it takes no options but --help', async t => {
  t.same(parseFfiOptions([]), {});
  t.equal(parseFfiOptions(['--help']), undefined);
  t.throws(() => parseFfiOptions(['--rounds', '3']));
});
