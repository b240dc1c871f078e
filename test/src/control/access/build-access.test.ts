/** A list decides as the first rule that has the client; a plain matcher, which looks at one rule after the other, agrees. */
import t from 'tap';
import { buildAccess, type AccessRule } from '../../../../src/control/access/build-access.ts';
import { decisionFor } from '../../../../src/model/access-list.ts';
import { NetworkWords } from '../../../../src/model/network-words.ts';
import { atOnce, inSlices } from '../../../../src/support/slices.ts';
import { seeded } from '../../../../src/sim/seeded.ts';
import { fc } from '../../../harness/properties.ts';

const OTHERWISE = 99;

/** A rule as it is written: what it decides, and for whom. */
interface Written {
  readonly decision: number;
  readonly entries: readonly string[];
}

function rule({ decision, entries }: Written): AccessRule {
  const networks = new NetworkWords();
  for (const entry of entries) if (!['all', 'unix'].includes(entry)) networks.add(entry);
  return { decision, networks: [networks], isAll: entries.includes('all'), isUnix: entries.includes('unix') };
}

const bitsOf = (address: string): string => {
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16));
  if (!address.includes(':'))
    return address.split('.').reduce((bits, part) => bits + Number(part).toString(2).padStart(8, '0'), '');
  const [before = '', after] = address.split('::');
  const [head, tail] = [groups(before), groups(after ?? '')];
  const zeros = new Array<number>(8 - head.length - tail.length).fill(0);
  return [...head, ...zeros, ...tail].reduce((bits, group) => bits + group.toString(2).padStart(16, '0'), '');
};

/** What the list must decide: written for people, by text. */
function plainMatcher(rules: readonly Written[]): (address: string) => number {
  const prefixes = rules.flatMap(({ decision, entries }) =>
    entries.map(entry => {
      const [network = '', bits] = entry.split('/');
      const isWord = entry === 'all' || entry === 'unix';
      const prefix = isWord ? '' : bitsOf(network).slice(0, bits === undefined ? 128 : Number(bits));
      return { entry, decision, prefix, isIPv6: network.includes(':') };
    }),
  );
  return address => {
    const own = address === '' ? '' : bitsOf(address);
    const isIPv6 = address.includes(':');
    const found = prefixes.find(each => {
      if (each.entry === 'all') return true;
      if (address === '' || each.entry === 'unix') return address === '' && each.entry === 'unix';
      return each.isIPv6 === isIPv6 && own.startsWith(each.prefix);
    });
    return found?.decision ?? OTHERWISE;
  };
}

const decides = (rules: readonly Written[], address: string): number =>
  decisionFor(atOnce(buildAccess(rules.map(rule), OTHERWISE)), address);

// Few values, and the edges: so that networks touch, nest and repeat.
const byte = fc.constantFrom(0, 1, 2, 3, 127, 128, 254, 255);
const ipv4 = fc.tuple(byte, byte, byte, byte).map(parts => parts.join('.'));
const group = fc.constantFrom('0', '1', '2', '7fff', '8000', 'fffe', 'ffff');
const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 }).map(parts => parts.join(':'));
const entry = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(ipv4, fc.integer({ min: 0, max: 32 })).map(([a, bits]) => `${a}/${bits}`),
  },
  {
    weight: 8,
    arbitrary: fc.tuple(ipv6, fc.integer({ min: 0, max: 128 })).map(([a, bits]) => `${a}/${bits}`),
  },
  { weight: 2, arbitrary: ipv4 },
  { weight: 2, arbitrary: ipv6 },
  { weight: 1, arbitrary: fc.constantFrom('unix', 'all') },
);
const written = fc.record({
  decision: fc.integer({ min: 0, max: 2 }),
  entries: fc.array(entry, { maxLength: 6 }),
});

void t.test('it decides as a plain matcher does', t => {
  fc.assert(
    fc.property(
      fc.array(written, { maxLength: 8 }),
      fc.array(fc.oneof(ipv4, ipv6, fc.constant('')), { minLength: 10, maxLength: 10 }),
      (rules, clients) => {
        const plan = atOnce(buildAccess(rules.map(rule), OTHERWISE));
        const plainly = plainMatcher(rules);
        // Also where each network begins.
        const edges = rules
          .flatMap(({ entries }) => entries.flatMap(each => each.split('/')[0] ?? []))
          .filter(each => /[.:]/.test(each));
        for (const client of [...clients, ...edges]) {
          const [found, expected] = [decisionFor(plan, client), plainly(client)];
          if (found !== expected) throw new Error(`${client || 'unix'}: ${found}, not ${expected}`);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  t.end();
});

void t.test('the first rule that has a client decides, and what no rule has is left', t => {
  const rules = [
    { decision: 1, entries: ['10.1.2.3'] },
    { decision: 2, entries: ['10.1.0.0/16', 'unix'] },
    { decision: 1, entries: ['10.0.0.0/8', '10.1.9.0/24'] },
  ];
  const asked = [
    '10.1.2.3',
    '10.1.2.4',
    '10.1.9.1',
    '10.2.0.0',
    '10.255.255.255',
    '11.0.0.0',
    '9.255.255.255',
    '',
  ];
  t.same(
    asked.map(each => decides(rules, each)),
    [1, 2, 2, 1, 1, OTHERWISE, OTHERWISE, 2],
  );
  t.end();
});

void t.test('IPv4, and the IPv6 addresses that are mapped from it, are one; other IPv6 is apart', t => {
  const mapped = [{ decision: 1, entries: ['::ffff:10.0.0.0/104'] }];
  t.same(
    ['10.1.2.3', '::ffff:10.1.2.3', '::ffff:a01:203', '11.0.0.0'].map(each => decides(mapped, each)),
    [1, 1, 1, OTHERWISE],
  );
  t.same(
    ['10.1.2.3', '::ffff:10.1.2.3', '::1', 'fe80::1%eth0'].map(each =>
      decides([{ decision: 1, entries: ['::/0'] }], each),
    ),
    [OTHERWISE, OTHERWISE, 1, 1],
  );
  t.same(
    ['10.1.2.3', '::1'].map(each => decides([{ decision: 1, entries: ['0.0.0.0/0'] }], each)),
    [1, OTHERWISE],
  );
  t.end();
});

void t.test('all is everyone, and what stands behind it decides nothing', t => {
  const rules = [
    { decision: 1, entries: ['10.0.0.0/8'] },
    { decision: 2, entries: ['all', '192.0.2.0/24'] },
    { decision: 1, entries: ['192.0.2.0/24', 'unix'] },
  ];
  t.same(
    ['10.1.2.3', '192.0.2.1', '::1', ''].map(each => decides(rules, each)),
    [1, 2, 2, 2],
  );
  t.end();
});

void t.test('what is no address is denied, whatever the list says', t => {
  t.same(
    ['nonsense', '10.1.2', '::g'].map(each => decides([{ decision: 2, entries: ['all'] }], each)),
    [0, 0, 0],
  );
  t.end();
});

void t.test('the tables can be posted without a copy, and are as small as they can be', t => {
  const { ipv4, ipv6 } = atOnce(
    buildAccess([rule({ decision: 1, entries: ['10.0.0.0/9', '10.128.0.0/9', '0.0.0.0/5'] })], 1),
  );
  t.same([ipv4.numbers.length, ipv6.numbers.length], [1, 1], 'neighbours that decide the same are one range');
  t.ok(ipv4.starts.buffer instanceof SharedArrayBuffer);
  t.end();
});

void t.test('of many networks each address finds its own, and others have their turns meanwhile', async t => {
  const random = seeded(7);
  const number = (below: number): number => Math.floor(random() * below);
  const group = (): string => number(65_536).toString(16);
  const many = Array.from({ length: 20_000 }, () => [
    `${1 + number(223)}.${number(256)}.${number(256)}.${number(256)}/${20 + number(13)}`,
    `20${number(100)}:${group()}:${group()}:${group()}::/${40 + number(25)}`,
  ]).flat();
  const rules = [0, 1, 2].map(decision => ({ decision, entries: many.filter((_, i) => i % 3 === decision) }));
  let turns = 0;
  const counting = setInterval(() => (turns += 1), 0);
  const plan = await inSlices(buildAccess(rules.map(rule), OTHERWISE));
  clearInterval(counting);
  t.ok(turns > 5, `${turns} turns`);
  const plainly = plainMatcher(rules);
  const wrong = many
    .filter((_, i) => i % 100 === 0)
    .flatMap(network => {
      const [address = ''] = network.split('/');
      const [found, expected] = [decisionFor(plan, address), plainly(address)];
      return found === expected ? [] : [`${address}: ${found}, not ${expected}`];
    });
  t.same(wrong, []);
  t.ok(plan.ipv4.index.length > 8_192 && plan.ipv6.index.length > 8_192);
});
