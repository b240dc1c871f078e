/**
 * The benchmark's command line: `npm run bench -- [options]`.
 */
import { parseArgs } from 'node:util';
import { PEER_NAMES, type PeerName } from './peers/all.ts';
import { SCENARIO_NAMES, type ScenarioName } from './scenarios/all.ts';

export const USAGE = `usage: npm run bench -- [options]
  --quick          one short round: a look, not a measurement (about 30 s)
  --rounds N       rounds, in each of which every peer is measured once (default 5; quick 1)
  --only LIST      scenarios: ${SCENARIO_NAMES.join(',')}
  --peers LIST     ${PEER_NAMES.join(',')}
  --json FILE      where to write the result (default bench/results/<date>-<what>.json)
`;

export interface BenchOptions {
  readonly quick: boolean;
  readonly rounds: number;
  readonly scenarios: readonly ScenarioName[];
  /** Whether `scenarios` was chosen by the user. */
  readonly only: boolean;
  readonly peers: readonly PeerName[];
  readonly json: string | undefined;
  /** No further round is started that would end after this. */
  readonly budgetMs: number;
}

const MAX_ROUNDS = 100;
const FULL_BUDGET_MS = 240_000;
const QUICK_BUDGET_MS = 40_000;
/** Who asks for more rounds than the budget holds gets time for them. */
const BUDGET_PER_ROUND_MS = 60_000;

/** Parses the arguments; undefined when help was asked for. Throws an Error whose message names what is wrong. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
      peers: { type: 'string' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const { quick } = values;
  const rounds = values.rounds === undefined ? undefined : parseRounds(values.rounds);
  const budgetMs = quick ? QUICK_BUDGET_MS : FULL_BUDGET_MS;
  return {
    quick,
    rounds: rounds ?? (quick ? 1 : 5),
    scenarios: parseList('--only', values.only, SCENARIO_NAMES),
    only: values.only !== undefined,
    peers: parseList('--peers', values.peers, PEER_NAMES),
    json: values.json,
    budgetMs: rounds === undefined ? budgetMs : Math.max(budgetMs, rounds * BUDGET_PER_ROUND_MS),
  };
}

function parseRounds(text: string): number {
  const rounds = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (rounds < 1 || rounds > MAX_ROUNDS) {
    throw new Error(`--rounds ${text}: expected a whole number from 1 to ${String(MAX_ROUNDS)}`);
  }
  return rounds;
}

function parseList<Name extends string>(
  option: string,
  text: string | undefined,
  known: readonly Name[],
): readonly Name[] {
  if (text === undefined) return known;
  return text.split(',').map(word => {
    const name = known.find(candidate => candidate === word);
    if (name === undefined) throw new Error(`${option} ${word}: expected some of ${known.join(',')}`);
    return name;
  });
}
