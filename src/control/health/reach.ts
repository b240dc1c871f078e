/**
 * Opens the connection that a probe talks over: a socket, and TLS on it where the backend is to speak TLS.
 *
 * Place: http, tls and sendExpect probes; dial.ts connects.
 * Invariants:
 * - `done` is called once, unless the attempt is cancelled before.
 * - Nothing that came in the clear is handed on as a part of what TLS protects.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import type { Cancel } from '../../engine/engine.ts';
import type { ClientOpening } from '../../engine/tls.ts';
import type { Address } from '../../support/address.ts';
import { dial, type DialDeps, type DialOptions } from './dial.ts';
import { CLOSED_AT_ONCE, failureOf } from './probe-failure.ts';
import { failed, type ProbeResult, type ProbeTarget } from './probe.ts';
import { leave } from './probe-socket.ts';
import type { Handshake, TlsSettings } from './tls-settings.ts';

export interface ReachDeps extends DialDeps {
  /** Absent: the probe talks in the clear. */
  readonly tls?: TlsSettings | undefined;
}

export type Reached =
  /** From now on the new owner handles the socket's events. */
  | { readonly ok: true; readonly socket: Socket; readonly kind: Address['kind'] }
  | { readonly ok: false; readonly result: ProbeResult };

/** The cancel ends the attempt, and the socket if there is one by then. */
export function reach(
  target: ProbeTarget,
  { tls, ...options }: ReachDeps & DialOptions,
  done: (reached: Reached) => void,
): Cancel {
  return dial(target, options, dialled => {
    if (!dialled.ok || tls === undefined) {
      done(dialled);
      return;
    }
    const { socket, kind } = dialled;
    const handshake = tls(target);
    if (handshake.opening === undefined) {
      encrypt(socket, kind, handshake, done);
      return;
    }
    openWith(handshake.opening, socket, kind, refusal => {
      if (refusal === undefined) {
        encrypt(socket, kind, handshake, done);
        return;
      }
      leave(socket, options);
      done({ ok: false, result: refusal });
    });
  });
}

/** Asks for TLS; `done` gets why there is none. */
function openWith(
  opening: ClientOpening,
  socket: Socket,
  kind: Address['kind'],
  done: (refusal: ProbeResult | undefined) => void,
): void {
  let answer = Buffer.alloc(0);
  const end = (refusal?: ProbeResult): void => {
    socket.off('data', onData).off('end', onEnd).off('error', onError);
    done(refusal);
  };
  const onData = (chunk: Buffer): void => {
    answer = Buffer.concat([answer, chunk]);
    const read = opening.read(answer);
    if (read.kind === 'refuse') end(failed(`no TLS: ${read.code}`));
    else if (read.kind === 'tls') {
      socket.pause();
      const rest = answer.subarray(read.take);
      if (rest.length > 0) socket.unshift(rest);
      end();
    }
  };
  const onEnd = (): void => end(failed(CLOSED_AT_ONCE));
  const onError = (error: Error): void => end(failureOf(error, kind));
  socket.on('data', onData).on('end', onEnd).on('error', onError);
  socket.write(opening.request);
}

function encrypt(
  plain: Socket,
  kind: Address['kind'],
  { options }: Handshake,
  done: (reached: Reached) => void,
): void {
  let isOver = false;
  const end = (reached: Reached): void => {
    if (isOver) return;
    isOver = true;
    done(reached);
  };
  const socket = connect({ socket: plain, ...options });
  socket.once('secureConnect', () => end({ ok: true, socket, kind }));
  socket.on('error', error => end({ ok: false, result: failureOf(error, kind) }));
}
