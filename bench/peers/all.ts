/**
 * Every peer that `npm run bench` knows, in the order of the table.
 */
import { createDirect } from './direct.ts';
import { createHaproxy } from './haproxy.ts';
import type { Launcher } from './launcher.ts';
import { createLb4 } from './lb4.ts';
import { createNginx } from './nginx.ts';
import type { Peer } from './peer.ts';

export const PEER_NAMES = ['lb4', 'haproxy', 'nginx', 'direct'] as const;

export type PeerName = (typeof PEER_NAMES)[number];

/** The peers asked for, in the table's order. */
export function createPeers(names: readonly PeerName[], launcher: Launcher): Peer[] {
  const factories: Record<PeerName, () => Peer> = {
    lb4: () => createLb4(launcher, 'lb4'),
    haproxy: () => createHaproxy(launcher),
    nginx: () => createNginx(launcher),
    direct: () => createDirect(),
  };
  return PEER_NAMES.filter(name => names.includes(name)).map(name => factories[name]());
}
