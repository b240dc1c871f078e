/**
 * The `http` probe: one request on a connection of its own, judged by its status and, if asked for, by a text in
 * the first 64 KiB of the body. Over HTTPS where `deps` have `tls`.
 *
 * Place: one kind of probe, over node:http with a socket of its own. Redirects are answers like others and
 * not followed.
 * Invariants:
 * - Headers are bounded by Node (16 KiB), the body by the limit.
 * - Once the verdict is known, the rest of the answer is read and dropped for a bounded time, so that the backend can
 *   finish it and logs no broken pipe. Then the connection is destroyed.
 */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { StatusRange } from '../../config/schema/status-ranges.ts';
import type { SetTimer } from '../../support/timer.ts';
import { createDialledProbe } from './dialled-probe.ts';
import { failed, PASSED, type Probe, type ProbeResult, type ProbeTarget } from './probe.ts';
import { failureOf } from './probe-failure.ts';
import { hostOf } from './probe-socket.ts';
import type { ReachDeps } from './reach.ts';
import { quoted } from './reason-text.ts';
import type { TlsSettings } from './tls-settings.ts';

const BODY_LIMIT = 64 * 1024;
const LINGER_MS = 1_000;

export interface HttpProbeSettings {
  readonly timeoutMs: number;
  readonly method: string;
  readonly path: string;
  /** The Host header; absent: the backend's configured address. */
  readonly host?: string | undefined;
  readonly statuses: readonly StatusRange[];
  /** Text that must occur in the body. */
  readonly body?: string | undefined;
}

export function createHttpProbe(settings: HttpProbeSettings, deps: ReachDeps): Probe {
  const { setTimer } = deps;
  const { timeoutMs, body } = settings;
  return createDialledProbe(
    timeoutMs,
    { ...deps, tls: forHttp(deps.tls) },
    ({ target, socket, kind, settle }) => {
      const request = ask(settings, target, socket);
      const decide = (result: ProbeResult): void => {
        swallow(request, setTimer, timeoutMs);
        settle(result);
      };
      request.on('response', response => {
        const failure = judgeStatus(response, settings.statuses);
        if (failure !== undefined) decide(failure);
        else if (body === undefined) decide(PASSED);
        else readBody(response, body, decide);
        // An answer without a reader would stop, and keep its socket.
        response.resume();
        response.on('error', () => settle(failed('broke off in the middle of the body')));
      });
      // 101: the connection is no longer HTTP.
      request.on('upgrade', (response, upgraded) => {
        settle(judgeStatus(response, settings.statuses) ?? PASSED);
        upgraded.destroy();
      });
      request.on('error', error => settle(failureOf(error, kind)));
      request.end();
    },
  );
}

function ask({ method, path, host }: HttpProbeSettings, target: ProbeTarget, socket: Socket): ClientRequest {
  const headers = { host: host ?? hostHeader(target.backend), 'user-agent': 'lb4', accept: '*/*' };
  return httpRequest({ method, path, headers, createConnection: () => socket });
}

/** HTTP needs no opening. Where sessions offer protocols, the probe offers the one that it speaks. */
function forHttp(tls: TlsSettings | undefined): TlsSettings | undefined {
  if (tls === undefined) return undefined;
  return target => {
    const { options } = tls(target);
    const offers = options.ALPNProtocols !== undefined;
    return { options: offers ? { ...options, ALPNProtocols: ['http/1.1'] } : options, opening: undefined };
  };
}

function hostHeader(backend: string): string {
  // A zone means something on this machine only (RFC 6874 4).
  return backend.startsWith('unix:') ? hostOf(backend) : backend.replace(/%[^\]]*\]/, ']');
}

function judgeStatus(
  { statusCode = 0 }: IncomingMessage,
  statuses: readonly StatusRange[],
): ProbeResult | undefined {
  const isExpected = statuses.some(({ from, to }) => statusCode >= from && statusCode <= to);
  return isExpected ? undefined : failed(`status ${statusCode}`);
}

/** Decides as soon as `text` has come or cannot come any more. */
function readBody(response: IncomingMessage, text: string, decide: (result: ProbeResult) => void): void {
  const wanted = Buffer.from(text);
  let read = Buffer.alloc(0);
  const missing = (where: string): ProbeResult =>
    failed(`${quoted(wanted.toString('latin1'))} not in ${where}`);
  let isDecided = false;
  const once = (result: ProbeResult): void => {
    if (isDecided) return;
    isDecided = true;
    decide(result);
  };
  response.on('data', (chunk: Buffer) => {
    if (isDecided) return;
    // The text may lie across two chunks.
    const from = Math.max(0, read.length - wanted.length + 1);
    read = Buffer.concat([read, chunk.subarray(0, BODY_LIMIT - read.length)]);
    if (read.indexOf(wanted, from) !== -1) once(PASSED);
    else if (read.length === BODY_LIMIT) once(missing('the first 64 KiB of the body'));
  });
  response.on('end', () => once(missing('the body')));
}

function swallow(request: ClientRequest, setTimer: SetTimer, timeoutMs: number): void {
  const { socket } = request;
  if (socket === null) return;
  const limit = socket.bytesRead + BODY_LIMIT;
  socket.on('data', () => {
    if (socket.bytesRead > limit) request.destroy();
  });
  const cancelTimer = setTimer(() => void request.destroy(), Math.min(LINGER_MS, timeoutMs));
  request.once('close', cancelTimer);
  socket.unref();
}
