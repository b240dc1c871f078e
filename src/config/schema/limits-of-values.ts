/**
 * Bounds and fields that more than one part of the schema uses.
 *
 * Place: beside fields.ts, which knows kinds of fields; here are the ranges that lb4 gives them.
 */
import { integer } from './fields.ts';

export const MS = 1;
export const SECOND = 1000 * MS;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
/** Timers in Node end at 24.8 days; a week is far below and long enough. */
export const WEEK = 168 * HOUR;
export const SHORTEST = 10 * MS;
export const MOST_SESSIONS = 1_000_000;

export const maxSessions = () => integer(1, MOST_SESSIONS).optional();
