/** The benchmark's two command lines, and which lb4 a build can be. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { parseAccessOptions } from '../../bench/access/access.ts';
import { parseFfiOptions } from '../../bench/ffi/ffi.ts';
import { USAGE, parseOptions } from '../../bench/options.ts';
import { variantArguments } from '../../bench/peers/lb4.ts';
import { SCENARIO_GROUPS, SCENARIO_NAMES } from '../../bench/scenarios/all.ts';
import { halfOfSlowest, slowerIfBusy } from '../../bench/scenarios/latency.ts';
import { parseSoakOptions } from '../../bench/soak/options.ts';

void t.test('without arguments the table of goals is measured, with --quick the short one', async t => {
  t.same(parseOptions([])?.scenarios, SCENARIO_GROUPS.table);
  t.same(parseOptions(['--quick'])?.scenarios, SCENARIO_GROUPS.quick);
  t.equal(parseOptions(['--quick'])?.rounds, 1);
  t.equal(parseOptions([])?.longRounds, 3);
  t.equal(parseOptions(['--rounds', '9'])?.longRounds, undefined);
  t.equal(parseOptions(['--help']), undefined);
});

void t.test(
  'names and groups mix, bare or after --only, each scenario once and in the order of the table',
  async t => {
    t.same(parseOptions(['syscalls', 'small'])?.scenarios, ['small', 'syscalls']);
    t.same(parseOptions(['--only', 'sizes,small', 'idle'])?.scenarios, ['small', 'medium', 'bulk', 'idle']);
    t.same(parseOptions(['all'])?.scenarios, SCENARIO_NAMES);
    t.same(parseOptions(['--only', 'workers,idle'])?.chosen, ['workers', 'idle']);
  },
);

void t.test('what is wrong is named', async t => {
  t.throws(() => parseOptions(['--only', 'small,larg']), /larg: expected some of small/);
  t.throws(() => parseOptions(['--peers', 'lb5']), /lb5: expected some of lb4,lb4-node/);
  t.throws(() => parseOptions(['--rate', '0']), /--rate 0: expected a whole number from 1/);
  t.throws(() => parseOptions(['--rounds', '1.5']), /--rounds 1.5/);
  t.throws(() => parseOptions(['--fast']), /--fast/);
});

void t.test('the usage names every scenario and group', async t => {
  for (const word of [...SCENARIO_NAMES, ...Object.keys(SCENARIO_GROUPS)]) t.match(USAGE, ` ${word}`);
});

void t.test('the soak takes its sessions, concurrency, workers and engine', async t => {
  t.match(parseSoakOptions([]), {
    sessions: 1_000_000,
    concurrency: 200,
    variant: { engine: 'auto', workers: 2 },
  });
  t.match(parseSoakOptions(['--sessions', '20', '--workers', '0', '--engine', 'node']), {
    sessions: 20,
    variant: { engine: 'node', workers: 0 },
  });
  t.throws(() => parseSoakOptions(['--engine', 'fast']), /--engine fast/);
  t.throws(() => parseSoakOptions(['--sessions', '0']), /--sessions 0/);
  t.throws(() => parseSoakOptions(['--workers', 'auto']), /--workers auto/);
});

const OLD_HELP = '  --health <type>  tcp (default) or off\n';
const NEW_HELP = `${OLD_HELP}  --engine <name>  auto, node or epoll\n  --workers <n>  data-plane threads\n`;

void t.test('a build that knows engines is told which', async t => {
  t.same(variantArguments({ engine: 'epoll', workers: 2 }, NEW_HELP), {
    ok: true,
    args: ['--engine', 'epoll', '--workers', '2'],
  });
  t.same(variantArguments({ engine: 'node', workers: 0 }, NEW_HELP), {
    ok: true,
    args: ['--engine', 'node', '--workers', '0'],
  });
});

void t.test('a build from before the engines is lb4-node and nothing else', async t => {
  t.same(variantArguments({ engine: 'node', workers: 0 }, OLD_HELP), { ok: true, args: [] });
  for (const variant of [
    { engine: 'epoll', workers: 1 },
    { engine: 'epoll', workers: 2 },
    { engine: 'auto', workers: 2 },
    { engine: 'node', workers: 2 },
  ] as const) {
    t.match(variantArguments(variant, OLD_HELP), { ok: false, reason: /no --engine/ });
  }
});

void t.test('the latency rate is half of the lowest peak; a peer that moved nothing has none', async t => {
  t.equal(halfOfSlowest([20_001, 30_000]), 10_000);
  t.equal(halfOfSlowest([20_001, Infinity]), 10_000);
  t.throws(() => halfOfSlowest([0, 30_000]));
  t.throws(() => halfOfSlowest([]));
});

void t.test('the latency rate is lowered as long as the load core is more than 60 % busy', async t => {
  t.equal(slowerIfBusy(20_000, 60), 20_000);
  t.equal(slowerIfBusy(20_000, 80), 15_000);
  t.equal(slowerIfBusy(1, 100), 1);
  t.equal(slowerIfBusy(20_000, undefined), 20_000, 'where the system does not tell');
});

void t.test('every command line in the documents is understood', async t => {
  const lines = ['bench/README.md', 'docs/performance.md'].flatMap(document => {
    const text = readFileSync(new URL(`../../../${document}`, import.meta.url), 'utf8');
    return Array.from(text.matchAll(/npm run bench(?: -- ([^#`\n]+))?/g), ([, args = '']) => args.trim());
  });
  t.ok(lines.length > 10);
  for (const line of lines) {
    const [first = '', ...rest] = line.split(/ +/);
    if (first === 'soak') t.ok(parseSoakOptions(rest), line);
    else if (first === 'ffi') t.ok(parseFfiOptions(rest), line);
    else if (first === 'access') t.ok(parseAccessOptions(rest), line);
    else t.ok(parseOptions(line === '' ? [] : [first, ...rest]), line);
  }
});
