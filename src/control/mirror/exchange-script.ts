/**
 * The Lua script of the exchange as Redis gets it: exchange.lua, and before it the numbers that both sides need.
 *
 * Place: `redis-client.ts` runs it. exchange-lua.ts holds the text of exchange.lua, so that the package and every
 * bundle have it without a file to find.
 */
import { EXCHANGE_LUA } from './exchange-lua.ts';

/** `unseen` is kept in thousandths. */
export const UNSEEN_UNITS = 1000;

/** A change of more totals than this is not reported, but left to the next exchange. */
export const MOST_CHANGES_TOLD = 8;

/**
 * Changes are reported while there are at most `changes` of them per second, and at most `messages` per second to all
 * their receivers together; `averagedMs` is the time constant. This bounds their cost for each instance and for Redis.
 */
export const TELLING = { changes: 20, messages: 200, averagedMs: 2_000 } as const;

/** The lease of a withdrawal, in milliseconds: until it ends, late publications of the instance are recognised. */
export const TOMBSTONE_MS = 10_000;

/** Most instances of one upstream, dead ones included; with more of them nothing is shared. */
export const MOST_INSTANCES = 10_000;

/** The greatest age of `load` after an exchange, in milliseconds. */
const VIEW_MS = 1_000;

/** Stands for the list of backends when it is that of the epoch and of this instance's last publication. */
export const SAME_BACKENDS = '=';

/** Stands before exchange.lua, whose header describes the script's arguments and replies. */
const NUMBERS = `local MOST_TOLD, VIEW_MS, MOST_INSTANCES = ${MOST_CHANGES_TOLD}, ${VIEW_MS}, ${MOST_INSTANCES}
local MOST_CHANGES, MOST_MESSAGES, AVERAGED_MS = ${TELLING.changes}, ${TELLING.messages}, ${TELLING.averagedMs}
local SAME_BACKENDS = '${SAME_BACKENDS}'
`;

export const EXCHANGE_SCRIPT = `${NUMBERS}${EXCHANGE_LUA}`;
