/**
 * Every peer that `npm run bench` knows, in the order of the table.
 */
import { createDirect } from './direct.ts';
import { createHaproxy } from './haproxy.ts';
import type { Launcher } from './launcher.ts';
import { createLb4 } from './lb4.ts';
import { createNginx } from './nginx.ts';
import type { Peer } from './peer.ts';

export const PEER_NAMES = [
  'lb4',
  'lb4-node',
  'haproxy',
  'nginx',
  'lb4-2w',
  'haproxy-2w',
  'nginx-2w',
  'direct',
] as const;

export type PeerName = (typeof PEER_NAMES)[number];

/** The peers asked for, in the table's order. */
export function createPeers(names: readonly PeerName[], launcher: Launcher): Peer[] {
  const factories: Record<PeerName, (name: PeerName) => Peer> = {
    lb4: name => createLb4(launcher, { name, engine: 'epoll', workers: 1 }),
    'lb4-node': name => createLb4(launcher, { name, engine: 'node', workers: 0 }),
    'lb4-2w': name => createLb4(launcher, { name, engine: 'epoll', workers: 2 }),
    haproxy: name => createHaproxy(launcher, name, 1),
    'haproxy-2w': name => createHaproxy(launcher, name, 2),
    nginx: name => createNginx(launcher, name, 1),
    'nginx-2w': name => createNginx(launcher, name, 2),
    direct: () => createDirect(),
  };
  return PEER_NAMES.filter(name => names.includes(name)).map(name => factories[name](name));
}
