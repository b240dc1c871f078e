/**
 * The Lua script of the exchange as Redis gets it: exchange.lua, and before it the numbers that both sides know.
 *
 * Place: `redis-client.ts` runs it. exchange-lua.ts holds the text of exchange.lua, so that it is in the package and in
 * every bundle without a file to be found.
 */
import { EXCHANGE_LUA } from './exchange-lua.ts';

/** `unseen` is kept in thousandths. */
export const UNSEEN_UNITS = 1000;

/** Of how many totals at most a change is told; more are left to the next exchange. */
export const MOST_CHANGES_TOLD = 8;

/**
 * Changes are told while there are at most `changes` of them per second, and together with their hearers at most
 * `messages`; `averagedMs` is the time constant. So what they cost is bounded, for each instance and for Redis.
 */
export const TELLING = { changes: 20, messages: 200, averagedMs: 2_000 } as const;

/** The lease of a withdrawal: for how long an instance's late publications are known as such, in milliseconds. */
export const TOMBSTONE_MS = 10_000;

/** Instances of one upstream, whether they live or not; with more of them nothing is shared. */
export const MOST_INSTANCES = 10_000;

/** How old `load` may be at an exchange, in milliseconds. */
const VIEW_MS = 1_000;

/** For backends that are those of the epoch, and those that this instance has published before. */
export const SAME_BACKENDS = '=';

/** Standing before exchange.lua, whose header says what the script takes and replies. */
const NUMBERS = `local MOST_TOLD, VIEW_MS, MOST_INSTANCES = ${MOST_CHANGES_TOLD}, ${VIEW_MS}, ${MOST_INSTANCES}
local MOST_CHANGES, MOST_MESSAGES, AVERAGED_MS = ${TELLING.changes}, ${TELLING.messages}, ${TELLING.averagedMs}
local SAME_BACKENDS = '${SAME_BACKENDS}'
`;

export const EXCHANGE_SCRIPT = `${NUMBERS}${EXCHANGE_LUA}`;
