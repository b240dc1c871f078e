/** Lists of networks at random: the reader answers, names a line that is there, and agrees with a plain reader. */
import { isIP } from 'node:net';
import t from 'tap';
import { readNetworkList } from '../../src/config/source/network-list.ts';
import { atOnce } from '../../src/support/slices.ts';
import { Chance, FUZZ_INPUTS, FUZZ_SEED } from '../harness/fuzz.ts';

const chance = new Chance();
t.setTimeout(3_600_000);

function line(): string {
  const bits = chance.is(0.7) ? `/${chance.number(chance.is(0.9) ? 33 : 200)}` : '';
  const ipv4 = Array.from({ length: 4 }, () => chance.number(chance.is(0.97) ? 256 : 1_000)).join('.');
  const ipv6 = `${chance.number(0x10000).toString(16)}::${chance.number(0x10000).toString(16)}`;
  return chance.of([
    `${ipv4}${bits}`,
    `${ipv4}${bits}`,
    `${ipv6}${bits}`,
    'all',
    'unix',
    '# x',
    '',
    ` ${ipv4} ; x`,
    `${ipv4}\r`,
  ]);
}

/** The same by regular expressions. */
function isEntry(written: string): boolean {
  const text = written.replace(/[#;].*$/s, '').replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '');
  if (text === '' || text === 'all' || text === 'unix') return true;
  const [, address = '', bits = '0'] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  // What no list needs is refused in one form and accepted in the other: leading zeros of a length.
  return family !== 0 && Number(bits) <= (family === 4 ? 32 : 128);
}

void t.test(`${FUZZ_INPUTS} lists from seed ${FUZZ_SEED}`, t => {
  let good = 0;
  for (let i = 0; i < FUZZ_INPUTS; i++) {
    const sound = Buffer.from(Array.from({ length: chance.number(6) }, () => `${line()}\n`).join(''));
    const text = (chance.is(0.3) ? sound : chance.mutated(sound)).toString('latin1');
    const result = atOnce(readNetworkList(text));
    const lines = text.split('\n');
    const rest = lines.pop();
    const bad = lines.findIndex(each => !isEntry(each));
    const expected = text !== '' && !text.includes('\0') && rest === '' && bad < 0;
    const named = result.ok ? 0 : Number(/^line (\d+)/.exec(result.found)?.[1] ?? 0);
    const isNamed =
      result.ok || text === '' || text.includes('\0') || named === (bad < 0 ? lines.length : bad) + 1;
    if (result.ok !== expected || !isNamed) {
      throw new Error(`${JSON.stringify(text)}: ${JSON.stringify(result)}, line ${bad + 1}`);
    }
    if (result.ok) good += 1;
  }
  t.ok(good > FUZZ_INPUTS / 10 && good < FUZZ_INPUTS, `${good} of them are lists`);
  t.end();
});
