/**
 * A backend that registers itself: `import { register } from 'lb4-balancer/register'`.
 *
 * Place: in the program of the backend, not in lb4. It talks to the admin API of a running lb4, whose upstream has a source
 * of type `registration` (docs/discovery.md). It loads nothing but Node's own HTTP.
 * Invariants:
 * - Never throws and never rejects: lb4 may come and go, and the backend works on.
 * - One request is under way at a time, and none outlasts the registration.
 * - Keeps no process alive, except while it deregisters.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { systemCode, wordsOf } from './errors.ts';
import { formatDuration } from './support/duration.ts';
import { printable } from './support/printable.ts';
import { setKeepingTimer, setUnrefTimer, within } from './support/timer.ts';

export interface RegisterOptions {
  /** The admin API: `http://127.0.0.1:9090`, `https://…`, or `unix:/run/lb4/default.sock`. */
  readonly admin: string;
  /** The token of the admin API, or a function that is called for each request; not needed at a unix socket. */
  readonly token?: string | (() => string);
  readonly upstream: string;
  /** The backend's own address, as lb4 reaches it: `10.0.0.4:80`. */
  readonly address: string;
  /** For how long lb4 keeps the backend without a heartbeat, in milliseconds; from 1,000 to 3,600,000, default 15,000. */
  readonly ttlMs?: number;
  readonly weight?: number;
  readonly maxSessions?: number;
  readonly backup?: boolean;
  /** Called when lb4 has the backend, and each time when it has it again after a failure. */
  readonly onRegistered?: () => void;
  /** Called with each reason that is another one than before: `connect ECONNREFUSED`, or the words of lb4. */
  readonly onFailed?: (reason: string) => void;
}

export interface Registration {
  /** The last heartbeat was answered. */
  readonly isRegistered: boolean;
  /** Ends the heartbeats and takes the backend out; resolves when lb4 has answered, or after two seconds. Idempotent. */
  end(): Promise<void>;
}

const DEFAULT_TTL_MS = 15_000;
/** Heartbeats in the time of a registration: two may get lost. */
const BEATS = 3;
const FIRST_RETRY_MS = 250;
const END_MS = 2_000;
const LONGEST_ANSWER = 64 * 1024;

/** Registers a backend, and goes on with heartbeats. Throws a TypeError for an `admin` that is no address. */
export function register(options: RegisterOptions): Registration {
  return new Heartbeats(options, targetOf(options.admin));
}

class Heartbeats implements Registration {
  readonly #options: RegisterOptions;
  readonly #target: Target;
  readonly #path: string;
  readonly #body: string;
  readonly #beatMs: number;
  #isRegistered = false;
  /** The last one, while there is one. */
  #reason: string | undefined;
  #failures = 0;
  #cancelTimer: () => void = () => undefined;
  #beating: Promise<void>;
  #ended: Promise<void> | undefined;

  constructor(options: RegisterOptions, target: Target) {
    const { upstream, address, ttlMs = DEFAULT_TTL_MS, weight, maxSessions, backup } = options;
    this.#options = options;
    this.#target = target;
    this.#path = `/api/v1/upstreams/${encodeURIComponent(upstream)}/backends/${encodeURIComponent(address)}`;
    this.#body = JSON.stringify({ ttl: formatDuration(ttlMs), weight, maxSessions, backup });
    this.#beatMs = ttlMs / BEATS;
    this.#beating = this.#beat();
  }

  get isRegistered(): boolean {
    return this.#isRegistered;
  }

  end(): Promise<void> {
    this.#cancelTimer();
    this.#isRegistered = false;
    // After a heartbeat that is under way, which would register it again.
    this.#ended ??= within(this.#beating, END_MS, setKeepingTimer).then(async () => {
      await this.#ask('DELETE', '', END_MS);
    });
    return this.#ended;
  }

  async #beat(): Promise<void> {
    const failure = await this.#ask('PUT', this.#body, this.#beatMs);
    if (this.#ended !== undefined) return;
    const wasRegistered = this.#isRegistered;
    this.#isRegistered = failure === undefined;
    const isNews = failure !== this.#reason;
    this.#reason = failure;
    this.#failures = failure === undefined ? 0 : this.#failures + 1;
    this.#beatAfter(
      Math.min(this.#beatMs, failure === undefined ? Infinity : FIRST_RETRY_MS * 2 ** (this.#failures - 1)),
    );
    if (failure === undefined && !wasRegistered) this.#options.onRegistered?.();
    if (failure !== undefined && isNews) this.#options.onFailed?.(failure);
  }

  #beatAfter(delayMs: number): void {
    this.#cancelTimer = setUnrefTimer(() => {
      this.#beating = this.#beat();
    }, delayMs);
  }

  /** Resolves with why it has failed; undefined: it has not. */
  async #ask(method: 'PUT' | 'DELETE', body: string, withinMs: number): Promise<string | undefined> {
    const { token } = this.#options;
    try {
      return await send(this.#target, {
        ...{ method, body, withinMs, path: this.#path },
        token: typeof token === 'function' ? token() : token,
      });
    } catch (error) {
      // Of the function that has the token, or of a header that it cannot stand in.
      return wordsOf(error);
    }
  }
}

interface Target {
  readonly isSecure: boolean;
  /** Options of Node's request. */
  readonly at: { readonly socketPath: string } | { readonly host: string; readonly port: string };
}

function targetOf(admin: string): Target {
  if (admin.startsWith('unix:')) return { isSecure: false, at: { socketPath: admin.slice('unix:'.length) } };
  const url = URL.canParse(admin) ? new URL(admin) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol))
    throw new TypeError(
      `admin: expected an address such as http://127.0.0.1:9090 or unix:/path, got ${admin}`,
    );
  const isSecure = url.protocol === 'https:';
  // Node wants IPv6 addresses without brackets.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return { isSecure, at: { host, port: url.port === '' ? (isSecure ? '443' : '80') : url.port } };
}

interface Sent {
  readonly method: 'PUT' | 'DELETE';
  readonly path: string;
  readonly body: string;
  readonly token: string | undefined;
  readonly withinMs: number;
}

/** Resolves with why it has failed, in words; undefined: it has not. */
function send(
  { isSecure, at }: Target,
  { method, path, body, token, withinMs }: Sent,
): Promise<string | undefined> {
  return new Promise(resolve => {
    const request = (isSecure ? httpsRequest : httpRequest)({
      ...{ ...at, method, path, agent: false },
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === ''
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    });
    const cancelTimer = setUnrefTimer(
      () => request.destroy(new Error(`no answer within ${withinMs / 1_000} s`)),
      withinMs,
    );
    const done = (failure?: string): void => {
      cancelTimer();
      resolve(failure);
    };
    request.on('error', error => done(systemCode(error)));
    request.on('response', response => {
      const { statusCode = 0 } = response;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        if (text.length < LONGEST_ANSWER) text += piece;
      });
      response.on('error', error => done(systemCode(error)));
      response.on('end', () => done(statusCode < 300 ? undefined : `${statusCode}: ${detailOf(text)}`));
    });
    request.end(body);
  });
}

/** The words of an `application/problem+json`. */
function detailOf(text: string): string {
  try {
    const problem: unknown = JSON.parse(text);
    const detail =
      typeof problem === 'object' && problem !== null && 'detail' in problem ? problem.detail : '';
    return printable(String(detail));
  } catch {
    return 'not the answer of an lb4';
  }
}
