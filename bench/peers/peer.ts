/**
 * The contract of whatever is measured: a balancer, or the direct connection as control.
 *
 * A new balancer, or lb4 with other options (an engine, a number of workers), is one more Peer in all.ts; neither
 * scenarios nor reports know names.
 * Invariant: `start` resolves when the peer accepts; after `stop` nothing of it runs.
 */

export interface Peer {
  /** As in `--peers`, the table and the JSON. */
  readonly name: string;
  /** `subject` is lb4, `rival` what it is compared with, `control` the path with no balancer. */
  readonly role: 'subject' | 'rival' | 'control';
  /** Threads or processes that move data; it is given as many cores. The control has none and fits everywhere. */
  readonly workers: Workers | undefined;
  /** One line that names it exactly, or the reason why it cannot be measured here. */
  version(): Promise<PeerVersion>;
  start(task: PeerTask): Promise<RunningPeer>;
}

export type Workers = 1 | 2;

export interface PeerTask {
  /** Ports on 127.0.0.1. */
  readonly backends: readonly number[];
  /** Where it accepts on 127.0.0.1. */
  readonly listenPort: number;
  readonly strategy: 'roundrobin' | 'leastconn';
  /** TLS of the clients ends at the balancer, with this certificate; absent: bytes go through as they are. */
  readonly tls?: TlsFiles | undefined;
  /** The Redis through which it shares its counts; lb4 only. Default: it shares nothing. */
  readonly redis?: string;
}

/** Paths of PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** The two of them in one. */
  readonly both: string;
}

export type PeerVersion =
  { readonly present: true; readonly version: string } | { readonly present: false; readonly reason: string };

export interface RunningPeer {
  /** Where clients connect on 127.0.0.1. */
  readonly port: number;
  /** From the spawn of the process until it accepted; 0 for the control. */
  readonly acceptingAfterMs: number;
  /** Every process of the balancer as of now (a master forks its workers after it listens); none for the control. */
  pids(): readonly number[];
  /** Ends it; resolves when all of its processes are gone. */
  stop(): Promise<void>;
}
