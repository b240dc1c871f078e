import t from 'tap';
import { formatBandwidth, parseBandwidth } from '../../../src/support/bandwidth.ts';
import { fc } from '../../harness/properties.ts';

await t.test('a bandwidth is a whole number, a unit and a second, in bytes once parsed', t => {
  const cases: Record<string, number> = {
    '1B/s': 1,
    '500kB/s': 500_000,
    '10MB/s': 10_000_000,
    '1GB/s': 1e9,
    '64KiB/s': 65_536,
    '10MiB/s': 10_485_760,
    '2GiB/s': 2 ** 31,
    '007MiB/s': 7_340_032,
  };
  for (const [text, bytes] of Object.entries(cases)) t.equal(parseBandwidth(text), bytes, text);
  t.end();
});

await t.test('anything else is not a bandwidth: no bits, no other times, no fractions', t => {
  const texts = [
    '',
    '10MiB',
    '10',
    '10/s',
    '10Mbit/s',
    '10Mb/s',
    '10mib/s',
    '10 MiB/s',
    '1.5MiB/s',
    '-1MiB/s',
  ];
  for (const text of [
    ...texts,
    'MiB/s',
    '10MiB/m',
    '10MiB/s ',
    '1KB/s',
    '1TiB/s',
    '1e3B/s',
    '1'.repeat(13) + 'B/s',
  ])
    t.equal(parseBandwidth(text), undefined, JSON.stringify(text));
  t.end();
});

await t.test('a printed bandwidth uses the largest exact unit, and is parsed as the same', t => {
  t.same([1, 1000, 1024, 10_000_000, 10_485_760, 1_048_577].map(formatBandwidth), [
    '1B/s',
    '1kB/s',
    '1KiB/s',
    '10MB/s',
    '10MiB/s',
    '1048577B/s',
  ]);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 ** 12 - 1 }),
      bytes => parseBandwidth(formatBandwidth(bytes)) === bytes,
    ),
  );
  t.end();
});
