/**
 * From a request to a response: finds the route, checks the caller, parses what was sent, answers.
 *
 * Place: between Node's HTTP server and the routes.
 * Invariants:
 * - Every request gets exactly one response, and a wrong one a problem that names what is wrong.
 * - A defect in a route is a 500 without a stack, and one line in the log.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type * as z from 'zod';
import { wordsOf } from '../errors.ts';
import type { Log } from '../observe/log.ts';
import { endEarly, parseBody, readBody } from './body.ts';
import type { Gatekeeper } from './caller.ts';
import { Problem, problemOf, quotable } from './problem.ts';
import type { Answer, Asked, Route, RouteDeps } from './route.ts';

const SAFE_HEADERS: OutgoingHttpHeaders = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

export interface DispatchDeps extends RouteDeps {
  readonly routes: readonly Route[];
  readonly gatekeeper: Gatekeeper;
  readonly log: Log;
}

/** Answers a request; never rejects. `onRead`: all of it has arrived. */
export async function dispatch(
  request: IncomingMessage,
  response: ServerResponse,
  deps: DispatchDeps,
  onRead: () => void,
): Promise<void> {
  try {
    await send(response, await answer(request, deps, onRead));
  } catch (error) {
    if (request.destroyed && !request.complete) return;
    sendProblem(response, problemOf(error) ?? defect(error, request, deps.log));
  }
}

async function answer(request: IncomingMessage, deps: DispatchDeps, onRead: () => void): Promise<Answer> {
  const { pathname, searchParams } = urlOf(request);
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const found = deps.routes.flatMap(route => {
    const params = matchPath(route.path, pathname);
    return params === undefined ? [] : [{ route, params }];
  });
  const match = found.find(each => each.route.method === method);
  const [isOpen, isPage] = [found.some(each => each.route.isOpen), found.some(each => each.route.isPage)];
  // Before anything is said about what there is.
  const caller = deps.gatekeeper.check(request, { isOpen, isPage, isChange: method !== 'GET' });
  const text = await readBody(request);
  onRead();
  if (found.length === 0) throw new Problem(404, `there is nothing at ${quotable(pathname)}`);
  if (match === undefined) {
    const allow = found.map(each => each.route.method).join(', ');
    throw new Problem(405, `${quotable(pathname)} takes ${allow}`, { allow });
  }
  const { route, params } = match;
  const query = parsed(route.query, onlyOnce(searchParams), 'parameter');
  if (route.body === undefined && text !== '') throw new Problem(400, `${method} takes no body here`);
  const { 'content-type': type } = request.headers;
  const body = route.body && parsed(route.body, parseBody(text, type), 'key');
  const { accept = '' } = request.headers;
  const asked: Asked = { params: decoded(params), query, body, caller, accept };
  return await route.handle(asked, deps);
}

function urlOf({ url = '/' }: IncomingMessage): URL {
  try {
    // Only path and query are used; `//x` must not become a host.
    return new URL(`http://lb4${url.startsWith('/') ? url : `/${url}`}`);
  } catch {
    throw new Problem(400, 'the path cannot be read');
  }
}

/** The parameters of a path that has the form of a route's; undefined if it has not. */
function matchPath(form: string, path: string): Record<string, string> | undefined {
  const [parts, given] = [form.split('/'), path.split('/')];
  if (parts.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const value = given[index] ?? '';
    const name = /^\{(\w+)\}$/.exec(part)?.[1];
    if (name === undefined ? part !== value : value === '') return undefined;
    if (name !== undefined) params[name] = value;
  }
  return params;
}

function decoded(params: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, text]) => [name, decodeURIComponent(text)]));
  } catch {
    throw new Problem(400, 'a part of the path is not percent-encoded UTF-8');
  }
}

function onlyOnce(params: URLSearchParams): Record<string, string> {
  for (const name of params.keys()) {
    if (params.getAll(name).length > 1)
      throw new Problem(400, `the parameter ${quoted(name)} is given twice`);
  }
  return Object.fromEntries(params);
}

function parsed(schema: z.ZodType, input: unknown, what: 'parameter' | 'key'): unknown {
  const result = schema.safeParse(input, { error: () => 'another value' });
  if (result.success) return result.data;
  const details = result.error.issues.map(issue => issueText(issue, schema, what));
  throw new Problem(400, details.slice(0, 10).join('; '));
}

function issueText(issue: z.core.$ZodIssue, schema: z.ZodType, what: string): string {
  if (issue.code === 'unrecognized_keys') {
    const known = 'shape' in schema ? Object.keys(schema.shape as object) : [];
    const names = issue.keys.slice(0, 3).map(quoted).join(', ');
    return `unknown ${what} ${names}; ${known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`}`;
  }
  const path = issue.path.map(String).join('.');
  return path === '' ? `expected ${issue.message}` : `${path}: expected ${issue.message}`;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}

async function send(response: ServerResponse, answered: Answer): Promise<void> {
  if ('stream' in answered) await answered.stream(response);
  else write(response, answered.status, 'application/json', answered.body, {});
}

/** Also used where there is no route, such as for a full server. */
export function sendProblem(response: ServerResponse, problem: Problem): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  write(response, problem.status, 'application/problem+json', problem.body, problem.headers);
}

/** Node leaves the body out for HEAD. */
function write(
  response: ServerResponse,
  status: number,
  type: string,
  body: unknown,
  headers: OutgoingHttpHeaders,
): void {
  const text = `${JSON.stringify(body)}\n`;
  const own = { 'content-type': `${type}; charset=utf-8`, 'content-length': Buffer.byteLength(text) };
  response.writeHead(status, { ...SAFE_HEADERS, ...own, ...headers });
  const { req: request } = response;
  if (headers['connection'] === 'close' && !request.complete) endEarly(request, response, text);
  else response.end(text);
}

function defect(error: unknown, { method, url }: IncomingMessage, log: Log): Problem {
  const stack = error instanceof Error ? error.stack : undefined;
  log.write('error', 'adminFailed', `the admin API failed at ${method} ${url}: ${wordsOf(error)}`, { stack });
  return new Problem(500, 'lb4 failed to answer; its log says why');
}
