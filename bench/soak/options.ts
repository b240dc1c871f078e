/**
 * The command line of the soak: `npm run bench -- soak [options]`.
 */
import { parseArgs } from 'node:util';
import { MAX_WORKERS } from '../../src/support/cores.ts';
import { parseCount } from '../options.ts';
import type { Lb4Variant } from '../peers/lb4.ts';

export const USAGE = `usage: npm run bench -- soak [options]
  --sessions N      short sessions in all (default 1000000)
  --concurrency N   at a time (default 200)
  --workers N       lb4's data-plane workers, 0 for none (default 2)
  --engine NAME     auto (default), node or epoll
  --json FILE       where to write the result (default bench/results/<date>-soak.json)
Exit code: 0, or 1 if a session failed, a socket was left, or memory grew.
`;

export interface SoakOptions {
  readonly sessions: number;
  readonly concurrency: number;
  readonly variant: Lb4Variant;
  readonly json: string | undefined;
}

const MAX_SESSIONS = 1_000_000_000;
const MAX_CONCURRENCY = 5_000;
const ENGINES = ['auto', 'node', 'epoll'] as const;

/** Parses the arguments; undefined when help was asked for. Throws an Error whose message names what is wrong. */
export function parseSoakOptions(args: readonly string[]): SoakOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sessions: { type: 'string', default: '1000000' },
      concurrency: { type: 'string', default: '200' },
      workers: { type: 'string', default: '2' },
      engine: { type: 'string', default: 'auto' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  const engine = ENGINES.find(name => name === values.engine);
  if (engine === undefined) throw new Error(`--engine ${values.engine}: expected ${ENGINES.join(', ')}`);
  const workers = values.workers === '0' ? 0 : parseCount('--workers', values.workers, MAX_WORKERS);
  return {
    sessions: parseCount('--sessions', values.sessions, MAX_SESSIONS),
    concurrency: parseCount('--concurrency', values.concurrency, MAX_CONCURRENCY),
    variant: { engine, workers },
    json: values.json,
  };
}
