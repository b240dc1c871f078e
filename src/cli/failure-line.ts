/**
 * The error that ended lb4 before there was a log, in one line for people; with the stack when the level is debug.
 *
 * Place: `bin/lb4.ts` loads it before the command line, because a process that has run out of descriptors cannot load
 * anything later.
 */
import { wordsOf } from '../errors.ts';
import { printable } from '../support/printable.ts';
import { processLimit } from '../support/process-limits.ts';

/** Descriptors that lb4 needs to load its own files with a few workers, and for some sessions. */
export const DESCRIPTORS_NEEDED = 192;
/** Descriptors that each worker beyond the second needs while all workers load their files. */
export const NEEDED_BY_WORKER = 48;
/** Descriptors needed with the most workers possible: each of them loads its files, too. */
const MOST_NEEDED = DESCRIPTORS_NEEDED + NEEDED_BY_WORKER * 64;
/** How Node names a file that it could not open while it searched for a module. */
const NOT_FOUND = ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'];

export interface FailureSurroundings {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The limit of descriptors, read before they ran out. */
  readonly descriptors: number | undefined;
}

export function failureSurroundings(): FailureSurroundings {
  return { args: process.argv, env: process.env, descriptors: processLimit('descriptors') };
}

export function failureLine(error: unknown, { args, env, descriptors }: FailureSurroundings): string {
  const text = (outOfDescriptors(error, descriptors) ?? wordsOf(error)).replaceAll(/\s*\n\s*/g, ' ');
  const isDebug = env['LB4_LOG_LEVEL'] === 'debug' || /--log-level[= ]debug\b/.test(args.join(' '));
  const stack = isDebug && error instanceof Error ? `${error.stack ?? ''}\n` : '';
  return `lb4: ${printable(text)}\n${stack.split('\n').map(printable).join('\n')}`;
}

/** For an error caused by too few descriptors: the limit and what is needed. Undefined for others. */
export function outOfDescriptors(error: unknown, limit = processLimit('descriptors')): string | undefined {
  const codes = codesOf(error);
  if (codes.includes('ENFILE')) return 'the system has no file descriptor left (ENFILE): raise fs.file-max';
  const needed = codes.includes('LB4_WORKER_FAILED') ? MOST_NEEDED : DESCRIPTORS_NEEDED;
  const isLow = limit !== undefined && limit < needed;
  if (!codes.includes('EMFILE') && !(isLow && codes.some(code => NOT_FOUND.includes(code)))) return undefined;
  const found = limit === undefined ? 'ulimit -n' : `ulimit -n is ${limit}`;
  return `too few file descriptors: ${found}; lb4 needs at least ${DESCRIPTORS_NEEDED} to start, ${NEEDED_BY_WORKER} more for each worker beyond two, and 2 for each session`;
}

/** The codes of an error and of its causes. */
function codesOf(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return [...('code' in error ? [String(error.code)] : []), ...codesOf(error.cause)];
}
