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
  /** One line that names it exactly, or the reason why it cannot be measured here. */
  version(): Promise<PeerVersion>;
  /** Balances 127.0.0.1:listenPort over `backends` (ports on 127.0.0.1), round robin. */
  start(backends: readonly number[], listenPort: number): Promise<RunningPeer>;
}

export type PeerVersion =
  { readonly present: true; readonly version: string } | { readonly present: false; readonly reason: string };

export interface RunningPeer {
  /** Where clients connect on 127.0.0.1. */
  readonly port: number;
  /** Every process of the balancer as of now (a master forks its workers after it listens); none for the control. */
  pids(): readonly number[];
  /** Ends it; resolves when all of its processes are gone. */
  stop(): Promise<void>;
}
