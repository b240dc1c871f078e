/**
 * What a route of the admin API is: where it is, what it takes and answers, and what it does.
 *
 * Place: routes/ define them, dispatch.ts calls them, openapi.ts describes them: all three from the same schemas.
 */
import type { ServerResponse } from 'node:http';
import * as z from 'zod';
import type { Caller } from './caller.ts';
import type { EventStreams } from './events/event-streams.ts';
import type { AdminPort } from './port.ts';
import type { Scrapes } from './scrapes.ts';

export type Method = 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST';

/** An answer in JSON, or one that the route writes by itself. */
export type Answer =
  | { readonly status: number; readonly body: unknown }
  | { readonly stream: (response: ServerResponse) => void | Promise<void> };

/** A request that has passed all checks. */
export interface Asked<Query = unknown, Body = unknown> {
  /** The parts of the path in braces, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly caller: Caller;
  /** The request's Accept; '' where it has none. */
  readonly accept: string;
}

/** What all routes may use. */
export interface RouteDeps extends AdminPort {
  /** Logs a change: who made it, and what was before. */
  readonly logChange: (caller: Caller, message: string, fields: Readonly<Record<string, LogValue>>) => void;
  /** Waits, not for long, until new sessions in all workers follow the changes made before. */
  readonly untilSettled: () => Promise<void>;
  /** The clients that follow events. */
  readonly streams: EventStreams;
  /** The clients that get metrics. */
  readonly scrapes: Scrapes;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** Milliseconds since the process began. */
  readonly uptimeMs: () => number;
}

export type LogValue = string | number | boolean | undefined;

export interface Route {
  readonly method: Method;
  /** With the names of its parameters in braces. */
  readonly path: string;
  readonly summary: string;
  /** Needs no token and no particular Host. Default: false. */
  readonly isOpen: boolean;
  /** Needs no token: it has no figures, and changes nothing. Default: false. */
  readonly isPage: boolean;
  readonly query: z.ZodObject;
  readonly body: z.ZodType | undefined;
  /** Headers that it looks at, with what they mean. */
  readonly headers: Readonly<Record<string, string>>;
  /** The good answers, and the problems that are particular to this route. */
  readonly answers: Readonly<Record<number, RouteAnswer>>;
  readonly handle: (asked: Asked, deps: RouteDeps) => Answer | Promise<Answer>;
}

export interface RouteAnswer {
  readonly means: string;
  /** Absent: a problem. */
  readonly schema?: z.ZodType;
  /** Default: JSON. */
  readonly type?: string;
}

interface RouteParts<Q extends z.ZodObject, B extends z.ZodType> {
  readonly method: Method;
  readonly path: string;
  readonly summary: string;
  readonly isOpen?: boolean;
  readonly isPage?: boolean;
  readonly query?: Q;
  readonly body?: B;
  readonly headers?: Route['headers'];
  readonly answers: Route['answers'];
  readonly handle: (asked: Asked<z.output<Q>, z.output<B>>, deps: RouteDeps) => Answer | Promise<Answer>;
}

const NOTHING = z.strictObject({});

/** A route whose query and body have the types of their schemas. */
export function route<Q extends z.ZodObject = typeof NOTHING, B extends z.ZodType = z.ZodUndefined>(
  parts: RouteParts<Q, B>,
): Route {
  const { isOpen = false, isPage = false, query = NOTHING, body, headers = {}, handle, ...rest } = parts;
  // `dispatch.ts` parses with these very schemas before it calls.
  return { ...rest, isOpen, isPage, query, body, headers, handle: handle as Route['handle'] };
}
