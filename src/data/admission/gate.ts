/**
 * What stands between accepting a client and finding it a backend: gates, in the order of the array.
 *
 * Place: a listener's front has them. Gates judge by the client's facts and, where these are not enough, by its first
 * bytes. `Passage` asks them as soon as the client is accepted: one that is refused then never gets a session or a
 * place. Only a client of which a gate wants to see bytes is given both first, and `Admission` goes on. Places are
 * limits: a client without one waits at its listener, connected but untouched, and is asked nothing before its turn.
 * No framework: an array of functions, each pure but for what it looks up.
 */
import type { ProxyEndpoint, ProxyTlv } from '../../codec/proxy-protocol/index.ts';
import type { Connection } from '../../engine/engine.ts';
import type { TlsFacts, TlsResult } from '../../engine/tls.ts';
import type { Refusal } from '../../shared-memory/counters/refusals.ts';

/** A gate that lets in a number of sessions at a time. */
export interface Place {
  /** From the moment `enter` returns false until there is a place again. */
  readonly isFull: boolean;
  /** Takes a place; false: there is none. */
  enter(): boolean;
  /** Takes a place for a session that ends at once, whatever the limit says. */
  enterAnyway(): void;
  /** Gives a place back; called once for each place that was taken. */
  leave(): void;
}

/** What is known of a client. A gate that learns more passes on changed facts. */
export interface Facts<U> {
  readonly clientAddress: string;
  readonly clientPort: number;
  /** The upstream that the client goes to. */
  readonly upstream: U;
  /** What a proxy in front has said of the client besides its address; absent: there is none. */
  readonly proxied?: Proxied;
  /** The host that a TLS client wants to reach; absent: not known, or not asked for. */
  readonly serverName?: string;
  /** Absent: TLS does not end here, or the client has stayed in the clear, as it may. */
  readonly tls?: TlsFacts;
}

export interface Proxied {
  /** Where the client connected to; absent: not known. */
  readonly destination?: ProxyEndpoint;
  readonly tlvs: readonly ProxyTlv[];
}

/** The client's first bytes, as far as gates have asked for them. */
export interface FirstBytes {
  /** Empty until a gate has asked for more; without what gates have taken. */
  readonly bytes: Uint8Array;
  /** No more will come: the client has finished sending, a limit is reached, or the time is over. A gate must decide. */
  readonly isAll: boolean;
}

export type Verdict<U> =
  | {
      readonly kind: 'pass';
      /** Absent: nothing new is known. */
      readonly facts?: Facts<U>;
      /** How many of the first bytes were for the gate: the backend does not get them. Default: 0. */
      readonly take?: number;
      /**
       * Gives back what the gate holds for the client. Called exactly once: when its session has ended, when a later gate
       * refuses it, or when it finds no place. Then the gate is asked anew at the client's next turn.
       * `isUndone`: as if the client had never come, so what a session costs is given back, too.
       */
      readonly leave?: Leave;
      /** Only counted and logged: why the gate would have refused the client without `dryRun`. */
      readonly wouldRefuse?: Refusal;
    }
  /**
   * The gate needs this many bytes in all to decide; it is shown bytes as they come. Each gate has a time of its own,
   * from its first wait on: `withinMs`, by default the admission's.
   */
  | {
      readonly kind: 'more';
      readonly bytes: number;
      readonly withinMs?: number;
      /** What a client is counted as that has not sent them when the time is over. Absent: it is not counted. */
      readonly late?: Refusal;
    }
  /**
   * The client speaks TLS from here on. The gates behind this one, and the backend, get what is inside of it. The gate
   * is not asked again.
   */
  | { readonly kind: 'tls'; readonly withinMs: number; readonly begin: BeginTls }
  /**
   * `facts`: what is known of the client; absent: nothing new.
   * `isDropped`: the client gets no answer, unless it has sent bytes already: what is known of it then comes from a
   * proxy in front, which is to learn of it.
   */
  | {
      readonly kind: 'refuse';
      readonly reason: Refusal;
      readonly isDropped?: boolean;
      readonly facts?: Facts<U>;
    };

export type Leave = (isUndone: boolean) => void;

/** `facts` are undefined for a client that stays in the clear. After a failure the connection is gone. */
export type Secured =
  TlsResult | { readonly ok: true; readonly connection: Connection; readonly facts: undefined };

/** Owns the connection from now on. The function that it returns gives the handshake up and resets the client. */
export type BeginTls = (client: Connection, done: (result: Secured) => void) => (isLate: boolean) => void;

/** Called again, with more bytes or with none yet, after it has returned 'more'. Must not throw. */
export type Gate<U> = (facts: Facts<U>, first: FirstBytes) => Verdict<U>;

/** No byte has been asked for. */
export const NOTHING: FirstBytes = Object.freeze({ bytes: new Uint8Array(0), isAll: false });

/** The places in their order, or none of them. */
export function enterAll(places: readonly Place[]): boolean {
  for (const { isFull } of places) if (isFull) return false;
  for (let i = 0; i < places.length; i++) {
    if (places[i]?.enter() === true) continue;
    while (i > 0) places[--i]?.leave();
    return false;
  }
  return true;
}
