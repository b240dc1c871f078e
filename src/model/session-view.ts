/**
 * A session that runs, as plain data: every data plane answers queries for it.
 *
 * Place: sessions describe themselves, hosts gather them from their threads.
 */
import { parseNetwork } from '../support/network.ts';
import { Networks } from './networks.ts';

export interface SessionView {
  readonly id: string;
  readonly listener: string;
  readonly upstream: string;
  /** The backend that serves it or is being connected to; undefined while there is none. */
  readonly backend: string | undefined;
  /** The client's IP address and port; '' and 0 for a unix socket. */
  readonly clientAddress: string;
  readonly clientPort: number;
  /** The host that a TLS client wants to reach; absent: not known. */
  readonly serverName?: string | undefined;
  /** This and the next two: where the listener ends TLS. */
  readonly tlsVersion?: string;
  readonly alpn?: string | undefined;
  /** The name in the client's certificate, which was verified. */
  readonly clientCertificate?: string | undefined;
  readonly phase: 'admission' | 'queue' | 'connect' | 'relay';
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly bytesFromClient: number;
  readonly bytesFromBackend: number;
}

/** Selects sessions; a field that is absent matches all. */
export interface SessionFilter {
  readonly id?: string | undefined;
  readonly listener?: string | undefined;
  readonly upstream?: string | undefined;
  readonly backend?: string | undefined;
  /** The client's IP address. */
  readonly clientAddress?: string | undefined;
  /** The client's network, such as `10.0.0.0/8`, or its IP address. */
  readonly client?: string | undefined;
  /** Milliseconds since 1970: sessions that began before. */
  readonly startedBeforeMs?: number | undefined;
  /** Sessions that have moved more bytes, both ways together. */
  readonly moreBytesThan?: number | undefined;
}

export interface SessionQuery extends SessionFilter {
  /** The most sessions to return. */
  readonly limit: number;
}

const KEYS = ['id', 'listener', 'upstream', 'backend', 'clientAddress'] as const;

/** Whether sessions match, as a function: what is the same for all of them is worked out once. */
export function matcherOf(filter: SessionFilter): (view: SessionView) => boolean {
  const { client, startedBeforeMs = Infinity, moreBytesThan = -1 } = filter;
  const isClient = client === undefined ? () => true : networkOf(client);
  const keys = KEYS.filter(key => filter[key] !== undefined);
  return view =>
    keys.every(key => filter[key] === view[key]) &&
    view.startedAtMs < startedBeforeMs &&
    view.bytesFromClient + view.bytesFromBackend > moreBytesThan &&
    isClient(view.clientAddress);
}

/** Whether an IP address is in a network; none is when the text is no network, and `unix` is none here. */
function networkOf(text: string): (address: string) => boolean {
  const networks = new Networks(parseNetwork(text) === undefined ? [] : [text]);
  return address => networks.has(address);
}
