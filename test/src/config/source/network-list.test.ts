/** Files with entries of `access`: what they may look like, and that a bad line is named. */
import t from 'tap';
import { readNetworkList } from '../../../../src/config/source/network-list.ts';
import { atOnce } from '../../../../src/support/slices.ts';

const read = (text: string) => atOnce(readNetworkList(text));

function networksOf(text: string): string[] {
  const result = read(text);
  if (!result.ok) throw new Error(result.found);
  const { networks } = result.list;
  return Array.from(networks.bits, (bits, i) => {
    const words = [...networks.words.subarray(4 * i, 4 * i + 4)];
    return `${words.map(word => word.toString(16)).join(':')}/${bits}`;
  });
}

const foundIn = (text: string): string => {
  const result = read(text);
  return result.ok ? 'nothing' : result.found;
};

void t.test('one entry a line; comments, spaces, empty lines and line ends of Windows do not matter', t => {
  const text =
    '\uFEFF# friends\r\n10.0.0.0/8\r\n\n  192.0.2.1 \t; SBL1\n2001:db8::/32 # v6\n::ffff:10.0.0.0/104\nall\n unix\n';
  t.same(networksOf(text), [
    '0:0:ffff:a000000/104',
    '0:0:ffff:c0000201/128',
    '20010db8:0:0:0/32'.replace('20010db8', (0x20010db8).toString(16)),
    '0:0:ffff:a000000/104',
  ]);
  t.match(read(text), { list: { lines: [2, 4, 5, 6], all: 7, unix: 8 } });
  t.match(read('# none\n'), { ok: true, list: { networks: { length: 0 }, lines: [], all: 0, unix: 0 } });
  t.end();
});

void t.test('a bad line is named, with its text only where that looks like an address', t => {
  const good = '10.0.0.0/8\n'.repeat(30_000);
  t.equal(foundIn(`${good}10.0.0.300/8\n${good}`), 'line 30001: 10.0.0.300/8 is no network');
  t.equal(foundIn('secret-token\n'), 'line 1: what stands there is no network');
  t.equal(foundIn('10.0.0.0/33\n1.2.3\n'), 'line 1: 10.0.0.0/33 is no network, and 1 more such line');
  t.equal(foundIn('x\n\ny\nz\n'), 'line 1: what stands there is no network, and 2 more such lines');
  for (const bad of [
    '010.0.0.1',
    '1.2.3.4/',
    '1.2.3.4/-1',
    '1.2.3.4.5',
    '1.2.3.4 5.6.7.8',
    '1..2.3',
    '256.1.1.1',
    '::/129',
    'fe80::1%eth0',
    '1.2.3.4/8/8',
    '0001.2.3.4',
  ])
    t.match(foundIn(`${bad}\n`), /^line 1: .* is no network$/, bad);
  t.end();
});

void t.test('a file that may be half written is no list', t => {
  t.equal(
    foundIn('10.0.0.0/8\n10.0.0.0/1'),
    'line 2: it has no line end, as in a file that is still being written',
  );
  t.match(foundIn(''), /^it is empty/);
  t.match(foundIn('10.0.0.0/8\n\0\0\0\0'), /no text file/);
  t.end();
});
