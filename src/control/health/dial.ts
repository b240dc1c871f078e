/**
 * Opens the socket of a probe, to the first of a backend's addresses that accepts.
 *
 * Place: the one place where http, tls and sendExpect probes and the agent's question connect.
 * Invariants:
 * - `done` is called once, unless the attempt is cancelled before.
 * - Each address has its share of the time, as in a session.
 */
import type { Socket } from 'node:net';
import { connectFailure } from '../../engine/connect-failure.ts';
import { isItself, REFUSED, refused } from '../../support/self-connect.ts';
import type { Cancel, ConnectFailure } from '../../engine/engine.ts';
import { systemCode } from '../../errors.ts';
import type { SendProxy } from '../../model/send-proxy.ts';
import type { Address } from '../../support/address.ts';
import type { SetTimer } from '../../support/timer.ts';
import { noAnswer } from './no-answer.ts';
import { failureOf } from './probe-failure.ts';
import { endsOf, probeHeader } from './probe-header.ts';
import type { ProbeResult, ProbeTarget } from './probe.ts';

export interface DialDeps {
  /** Begins to connect; the socket emits 'connect' or 'error'. */
  readonly openSocket: (address: Address) => Socket;
  readonly setTimer: SetTimer;
  /** The header that a connection begins with. */
  readonly sendProxy?: SendProxy['version'] | undefined;
}

export interface DialOptions extends DialDeps {
  readonly timeoutMs: number;
}

export type Dialled =
  /** From now on the new owner handles the socket's events. */
  | { readonly ok: true; readonly socket: Socket; readonly kind: Address['kind'] }
  | { readonly ok: false; readonly failure: ConnectFailure; readonly result: ProbeResult };

/** The cancel ends the attempt, and the socket if there is one by then. */
export function dial(
  { addresses }: Pick<ProbeTarget, 'addresses'>,
  options: DialOptions,
  done: (result: Dialled) => void,
): Cancel {
  const { timeoutMs } = options;
  let socket: Socket | undefined;
  const late = noAnswer(timeoutMs);
  const cancel = addresses.start<Dialled>(
    timeoutMs,
    (address, shareMs, tried) => dialOne(address, { ...options, timeoutMs: shareMs }, late, tried),
    result => {
      if (result.ok) ({ socket } = result);
      done(result);
    },
  );
  return () => {
    cancel();
    socket?.destroy();
  };
}

function dialOne(
  address: Address,
  { timeoutMs, openSocket, setTimer, sendProxy }: DialOptions,
  late: ProbeResult,
  done: (result: Dialled) => void,
): Cancel {
  const { kind } = address;
  const socket = openSocket(address);
  let isOver = false;
  const end = (result?: Dialled): void => {
    if (isOver) return;
    isOver = true;
    cancelTimer();
    if (result?.ok !== true) socket.destroy();
    if (result !== undefined) done(result);
  };
  const fail = (code: string, result: ProbeResult): void =>
    end({ ok: false, failure: connectFailure(code, kind), result });
  const cancelTimer = setTimer(() => fail('ETIMEDOUT', late), timeoutMs);
  socket.once('connect', () => {
    if (!isItself(socket)) {
      if (sendProxy !== undefined) socket.write(probeHeader(sendProxy, endsOf(socket)));
      end({ ok: true, socket, kind });
      return;
    }
    socket.resetAndDestroy();
    fail(REFUSED, failureOf(refused(), kind));
  });
  socket.on('error', error => fail(systemCode(error), failureOf(error, kind)));
  return () => end();
}
