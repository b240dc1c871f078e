/**
 * Why Redis could not be used: turns errors of ioredis, Redis and the system into one word from a closed set and a
 * sentence.
 *
 * Place: the only map from errors to `MirrorFailure`; used by `redis-client.ts`.
 * Invariants:
 * - No sentence holds a password, a URL, a command's arguments or the script.
 * - No error of ioredis is passed on as a cause: it carries the command with all its arguments.
 */
import type { MirrorFailure } from '../../model/words.ts';
import { ExchangeError } from './exchange.ts';

/** Servers' errors, by the code at the beginning of the message (or within it, when a script met the error). */
const BY_CODE: readonly (readonly [RegExp, MirrorFailure, string])[] = [
  // First, because the rest of such a server's messages cannot be relied on.
  [/\bLB4STRANGE\b/, 'error', 'what answers is no Redis, or a broken one: it sends what Redis does not'],
  [/\bWRONGPASS\b/, 'denied', 'Redis refuses the user name or the password'],
  [/\bNOAUTH\b/, 'denied', 'Redis requires a password'],
  [
    /\bNOPERM\b|\bACL failure\b|can't run this command/,
    'denied',
    "Redis's ACL does not allow this user to call EVAL and EVALSHA, and to read and write keys lb4:*",
  ],
  [/\bDENIED\b/, 'denied', 'Redis runs in protected mode and refuses connections from elsewhere'],
  [/\bLOADING\b/, 'loading', 'Redis is still loading its data'],
  [/\bREADONLY\b/, 'readOnly', 'this Redis is a replica and takes no writes'],
  [/\bMASTERDOWN\b/, 'readOnly', 'this Redis is a replica that has lost its master'],
  [/\bNOREPLICAS\b/, 'readOnly', 'Redis takes no writes while it has too few replicas'],
  [/\bMISCONF\b/, 'readOnly', 'Redis takes no writes because it cannot save its data'],
  [/\bOOM\b/, 'outOfMemory', 'Redis has reached its maxmemory'],
  [/\bWRONGTYPE\b/, 'wrongType', "a key of this upstream in Redis holds something else than lb4's counts"],
  [
    /\b(?:MOVED|ASK|CLUSTERDOWN|CROSSSLOT|TRYAGAIN)\b|cluster support disabled|SELECT is not allowed in cluster/,
    'cluster',
    'Redis Cluster',
  ],
  [/\bDB index is out of range\b/, 'error', 'Redis has no database of this number'],
  [/max number of clients/, 'unreachable', 'Redis has reached its maxclients'],
  [/\bBUSY\b/, 'timeout', 'Redis is busy with a script'],
  [/Command timed out|Socket timeout|\bETIMEDOUT\b/, 'timeout', 'Redis did not answer in time'],
];

const CLUSTER_SENTENCES: readonly (readonly [RegExp, string])[] = [
  [/CLUSTERDOWN/, 'the Redis Cluster is down, or no node serves this part of it'],
  [/cluster support disabled/, 'this Redis is not part of a Cluster'],
  [/SELECT is not allowed/, 'a Redis Cluster has database 0 only'],
  [/MOVED|ASK/, 'this Redis is part of a Cluster, and the keys are on another node of it'],
];

/** Node's codes for failures of the connection, TLS included. */
const SYSTEM_CODE = /^[A-Z][A-Z0-9_]{2,60}$/;

/** The failure that an error stands for. */
export function exchangeFailure(error: unknown): ExchangeError {
  if (error instanceof ExchangeError) return error;
  const code = codeOf(error);
  if (code !== undefined && code !== 'ETIMEDOUT') {
    return new ExchangeError('unreachable', `Redis cannot be reached (${code})`);
  }
  const said = textOf(error);
  for (const [pattern, reason, sentence] of BY_CODE) {
    if (!pattern.test(said)) continue;
    return new ExchangeError(reason, reason === 'cluster' ? clusterSentence(said) : sentence);
  }
  if (/sentinel/i.test(said)) {
    return new ExchangeError('unreachable', 'no Sentinel can be reached that knows the master');
  }
  if (error instanceof Error && error.name === 'ReplyError') {
    return new ExchangeError('error', `Redis refuses: ${firstWords(said)}`);
  }
  return new ExchangeError('unreachable', 'the connection to Redis was lost');
}

function clusterSentence(said: string): string {
  return (
    CLUSTER_SENTENCES.find(([pattern]) => pattern.test(said))?.[1] ?? 'the Redis Cluster refuses the keys'
  );
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return SYSTEM_CODE.test(error.code) ? error.code : undefined;
}

/** An error's message and those of the errors within it. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const inner = 'lastNodeError' in error ? textOf(error.lastNodeError) : '';
  return inner === '' ? error.message : `${error.message} ${inner}`;
}

/** Only a message's beginning: Redis repeats arguments of commands that it does not understand, such as a script. */
function firstWords(said: string): string {
  const beginning = said.split(/, with args|[\r\n]|script:/, 1)[0] ?? '';
  return beginning.trim().slice(0, 100);
}
