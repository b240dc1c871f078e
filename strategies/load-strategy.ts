/**
 * From what the user wrote (a built-in name, or the path of a module of their own) to a strategy factory.
 *
 * Place: called once per upstream at start and at reload, in every thread that balances.
 * A module is tried out over two candidates before any client depends on it, so that a defect is a
 * configuration error and not a failed session. The file's time of change is part of the address that it is
 * imported by, because Node would otherwise keep using the old text after a reload.
 */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { STRATEGIES, STRATEGY_NAMES, isStrategyName } from './index.ts';
import type { Candidate, StrategyFactory } from './strategy.ts';

/** What `strategyVersion` gives for a module. */
const VERSIONED = 'file:';
/** How long a module of the user's may take to load. */
const LOAD_MS = 5_000;
const LOOKS_LIKE_PATH = /^\.{0,2}\/|\.m?js$/;

/**
 * Resolves `roundrobin`, `leastconn`, ... or the path of a JavaScript module, relative to `baseDir`, whose
 * export `createStrategy` (or default export) is a `StrategyFactory`. A path starts with `./`, `../` or `/`
 * or ends in `.js` or `.mjs`. Rejects with an Error that says what was expected and what was found.
 *
 * @param withinMs how long the module may take to load; default 5 s
 */
export async function loadStrategy(
  nameOrPath: string,
  baseDir: string,
  withinMs = LOAD_MS,
): Promise<StrategyFactory> {
  if (isStrategyName(nameOrPath)) return STRATEGIES[nameOrPath];
  const version = nameOrPath.startsWith(VERSIONED) ? nameOrPath : await strategyVersion(nameOrPath, baseDir);
  return await loadModule(new URL(version), withinMs);
}

/**
 * What identifies a strategy, also against another text in the same file: a built-in name, or the address of a module
 * with the time of its last change. `loadStrategy` takes it in place of the path.
 */
export async function strategyVersion(nameOrPath: string, baseDir: string): Promise<string> {
  if (isStrategyName(nameOrPath)) return nameOrPath;
  if (!LOOKS_LIKE_PATH.test(nameOrPath)) {
    throw new Error(
      `unknown strategy '${nameOrPath}': expected one of ${STRATEGY_NAMES.join(', ')}, or a path such as ./my-strategy.js`,
    );
  }
  const path = resolve(baseDir, nameOrPath);
  try {
    const url = pathToFileURL(path);
    url.searchParams.set('changed', String((await stat(path)).mtimeMs));
    return url.href;
  } catch (error) {
    throw failure(path, 'a JavaScript module', describe(error), error);
  }
}

async function loadModule(url: URL, withinMs: number): Promise<StrategyFactory> {
  const path = fileURLToPath(url);
  const factory = findFactory(path, await importModule(url, path, withinMs));
  tryOut(path, factory);
  return factory;
}

async function importModule(url: URL, path: string, withinMs: number): Promise<Record<string, unknown>> {
  try {
    // A module may wait for ever at its top level.
    // A module namespace is always an object; what its exports are is checked by the caller.
    return (await within(withinMs, import(url.href))) as Record<string, unknown>;
  } catch (error) {
    throw failure(path, 'a JavaScript module', `${describe(error)}${hintFor(error, path)}`, error);
  }
}

async function within<T>(ms: number, loading: Promise<T>): Promise<T> {
  const isOver = new AbortController();
  const tooLate = delay(ms, undefined, { signal: isOver.signal }).then(() => {
    throw new Error(`one that has not loaded within ${ms / 1_000} s`);
  });
  try {
    return await Promise.race([loading, tooLate]);
  } finally {
    isOver.abort();
  }
}

/** Node has taken the file for CommonJS, because of the package.json beside or above it. */
function hintFor(error: unknown, path: string): string {
  const isTakenForCommonJs =
    path.endsWith('.js') &&
    error instanceof SyntaxError &&
    /^Unexpected token 'export'|^Cannot use import statement/.test(error.message);
  return isTakenForCommonJs ? '; name the file .mjs, or set "type": "module" in its package.json' : '';
}

function findFactory(path: string, exported: Record<string, unknown>): StrategyFactory {
  const factory = exported['createStrategy'] ?? exported['default'];
  if (typeof factory !== 'function') {
    const names = Object.keys(exported).join(', ') || 'nothing';
    throw failure(path, 'a function exported as createStrategy or as default', `exports: ${names}`);
  }
  // Its parameters cannot be checked here; tryOut calls it.
  return factory as StrategyFactory;
}

function tryOut(path: string, factory: StrategyFactory): void {
  const candidates = ['192.0.2.1:1', '192.0.2.2:1'].map((id): Candidate => ({
    id,
    weight: 1,
    live: () => 0,
  }));
  const some = make(path, factory, candidates);
  const picked = attempt(path, 'pick', () => some.pick({ clientAddress: '192.0.2.9' }));
  if (picked !== undefined && !candidates.some(candidate => candidate === picked)) {
    throw failure(path, 'pick to return one of the candidates or undefined', describe(picked));
  }
  const skipped = attempt(path, 'pick', () => some.pick({ clientAddress: '192.0.2.9', skip: () => true }));
  if (skipped !== undefined) {
    throw failure(path, 'pick to return undefined when skip refuses every candidate', describe(skipped));
  }
  // Every upstream starts without candidates, and has none again when all its backends are down.
  const none = make(path, factory, []);
  const nobody = attempt(path, 'pick', () => none.pick({ clientAddress: '192.0.2.9' }));
  if (nobody !== undefined) {
    throw failure(path, 'pick to return undefined when there is no candidate', describe(nobody));
  }
}

function make(path: string, factory: StrategyFactory, candidates: readonly Candidate[]): WithPick {
  const made = attempt(path, 'createStrategy', () =>
    factory(candidates, { now: () => 0, random: () => 0.5 }),
  );
  if (hasPick(made)) return made;
  throw failure(path, 'createStrategy to return an object with a function pick', describe(made));
}

function attempt(path: string, name: string, call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    throw failure(path, `${name} not to throw`, describe(error), error);
  }
}

interface WithPick {
  pick: (context: { clientAddress: string; skip?: () => boolean }) => unknown;
}

function hasPick(value: unknown): value is WithPick {
  return typeof value === 'object' && value !== null && 'pick' in value && typeof value.pick === 'function';
}

function describe(value: unknown): string {
  if (value instanceof Error) return value.message;
  if (value === null || typeof value !== 'object') return `${typeof value} ${String(value)}`;
  return `an object with ${Object.keys(value).join(', ') || 'no properties'}`;
}

function failure(path: string, expected: string, found: string, cause?: unknown): Error {
  return new Error(`strategy module ${path}: expected ${expected}, found ${found}`, { cause });
}
