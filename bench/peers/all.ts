/**
 * Every peer that `npm run bench` knows, in the order of the table.
 */
import { createDirect } from './direct.ts';
import { createHaproxy } from './haproxy.ts';
import type { Launcher } from './launcher.ts';
import { THIS_BUILD, buildIn, createLb4 } from './lb4.ts';
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

/** With `--before`: an older build of lb4 in the same rounds. */
export const BEFORE_NAMES = ['lb4-before', 'lb4-node-before', 'lb4-2w-before'] as const;

export type PeerName = (typeof PEER_NAMES)[number] | (typeof BEFORE_NAMES)[number];

/**
 * The peers asked for, in the table's order.
 *
 * @param before where `--before` lies; the peers of BEFORE_NAMES need it
 */
export function createPeers(names: readonly PeerName[], launcher: Launcher, before?: string): Peer[] {
  const build = before === undefined ? THIS_BUILD : buildIn(before);
  const factories: Record<PeerName, (name: PeerName) => Peer> = {
    lb4: name => createLb4(launcher, { name, engine: 'epoll', workers: 1 }),
    'lb4-node': name => createLb4(launcher, { name, engine: 'node', workers: 0 }),
    'lb4-2w': name => createLb4(launcher, { name, engine: 'epoll', workers: 2 }),
    haproxy: name => createHaproxy(launcher, name, 1),
    'haproxy-2w': name => createHaproxy(launcher, name, 2),
    nginx: name => createNginx(launcher, name, 1),
    'nginx-2w': name => createNginx(launcher, name, 2),
    'lb4-before': name => createLb4(launcher, { name, engine: 'epoll', workers: 1 }, build),
    'lb4-node-before': name => createLb4(launcher, { name, engine: 'node', workers: 0 }, build),
    'lb4-2w-before': name => createLb4(launcher, { name, engine: 'epoll', workers: 2 }, build),
    direct: () => createDirect(),
  };
  return [...PEER_NAMES, ...BEFORE_NAMES]
    .filter(name => names.includes(name))
    .map(name => factories[name](name));
}
