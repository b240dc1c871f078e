/**
 * The benchmark's command line: `npm run bench -- [options] [scenario…]`; `soak` has its own (soak/options.ts).
 */
import { parseArgs } from 'node:util';
import { BEFORE_NAMES, PEER_NAMES, type PeerName } from './peers/all.ts';
import { SCENARIO_GROUPS, SCENARIO_NAMES, type ScenarioName } from './scenarios/all.ts';

const IN_TABLE: ReadonlySet<ScenarioName> = new Set(SCENARIO_GROUPS.table);

export const USAGE = `usage: npm run bench -- [options] [scenario or group …]
       npm run bench -- soak [options]
       npm run bench -- ffi
       npm run bench -- access
  --quick          one short round of a few scenarios: a look, not a measurement (under 2 minutes)
  --rounds N       rounds, in each of which every peer is measured once (default 5, 3 of those that take longest; quick 1)
  --only LIST      scenarios or groups, as without --only
  --peers LIST     ${PEER_NAMES.join(',')}
  --before FOLDER  a compiled clone of an older lb4, measured in the same rounds: ${BEFORE_NAMES.join(', ')}
  --rate N         requests per second of the latency scenario (default: half of the slower rival's peak, or less)
  --json FILE      where to write the result (default bench/results/<date>-<what>.json)
  --markdown       print Markdown, for the README and docs/performance.md
scenarios: ${SCENARIO_GROUPS.table.join(' ')}
           ${SCENARIO_NAMES.filter(name => !IN_TABLE.has(name)).join(' ')}
groups:    ${Object.keys(SCENARIO_GROUPS).join(' ')} (default: table; with --quick: quick)
`;

export interface BenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly scenarios: readonly ScenarioName[];
  /** What was chosen, as it was called; empty if nothing was. For the name of the result. */
  readonly chosen: readonly string[];
  readonly peers: readonly PeerName[];
  /** The folder of an older build that takes part, too. */
  readonly before: string | undefined;
  readonly json: string | undefined;
  readonly markdown: boolean;
  readonly ratePerSecond: number | undefined;
  /** Fewer rounds of the scenarios that take longest, unless rounds were asked for. */
  readonly longRounds: number | undefined;
  /** No further round is started that would end after this. */
  readonly budgetMs: number;
}

const MAX_ROUNDS = 100;
const LONG_ROUNDS = 3;
const MAX_RATE = 10_000_000;
const FULL_BUDGET_MS = 600_000;
const QUICK_BUDGET_MS = 60_000;
/** Who asks for more rounds, or for more than the table, gets time for them. */
const BUDGET_PER_SAMPLE_MS = 8_000;
/** For one sample half a dozen processes are started, and run warm. */
const BUDGET_PER_MIRROR_SAMPLE_MS = 90_000;

/** Parses the arguments; undefined when help was asked for. Throws an Error whose message names what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'string' },
      before: { type: 'string' },
      rate: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  const rounds = values.rounds === undefined ? undefined : parseCount('--rounds', values.rounds, MAX_ROUNDS);
  const chosen = [...positionals, ...(values.only?.split(',') ?? [])];
  const scenarios = parseScenarios(chosen.length > 0 ? chosen : [quick ? 'quick' : 'table']);
  const peers = parsePeers(values.peers, values.before !== undefined);
  const perPeerMs = scenarios.reduce(
    (sum, name) => sum + (name === 'mirror' ? BUDGET_PER_MIRROR_SAMPLE_MS : BUDGET_PER_SAMPLE_MS),
    0,
  );
  const wanted = (rounds ?? 1) * perPeerMs * peers.length;
  const isPlain = rounds === undefined && chosen.length === 0;
  const budgetMs = quick ? QUICK_BUDGET_MS : FULL_BUDGET_MS;
  return {
    quick,
    rounds: rounds ?? (quick ? 1 : 5),
    scenarios,
    chosen,
    peers,
    before: values.before,
    json: values.json,
    markdown: values.markdown,
    ratePerSecond: values.rate === undefined ? undefined : parseCount('--rate', values.rate, MAX_RATE),
    longRounds: rounds === undefined ? LONG_ROUNDS : undefined,
    budgetMs: isPlain ? budgetMs : Math.max(budgetMs, wanted),
  };
}

/** A whole number from 1 to `max`, or an Error that names the option. */
export function parseCount(option: string, text: string, max: number): number {
  const count = /^\d{1,12}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > max) {
    throw new Error(`${option} ${text}: expected a whole number from 1 to ${String(max)}`);
  }
  return count;
}

function parseScenarios(words: readonly string[]): readonly ScenarioName[] {
  const groups = new Map<string, readonly ScenarioName[]>(Object.entries(SCENARIO_GROUPS));
  const wanted = new Set(
    words.flatMap(word => {
      const single = SCENARIO_NAMES.filter(name => name === word);
      const found = groups.get(word) ?? single;
      if (found.length > 0) return found;
      throw new Error(`${word}: expected some of ${[...SCENARIO_NAMES, ...groups.keys()].join(',')}`);
    }),
  );
  return SCENARIO_NAMES.filter(name => wanted.has(name));
}

function parsePeers(text: string | undefined, withBefore: boolean): readonly PeerName[] {
  const known: readonly PeerName[] = withBefore ? [...PEER_NAMES, ...BEFORE_NAMES] : PEER_NAMES;
  if (text === undefined) return known;
  return text.split(',').map(word => {
    const name = known.find(candidate => candidate === word);
    if (name === undefined) throw new Error(`--peers ${word}: expected some of ${known.join(',')}`);
    return name;
  });
}
