/**
 * The control: clients connect to the first backend with nothing in between. It shows what load generator and
 * backends can do at most; a balancer that reaches it is limited by them, and only its CPU figures then tell.
 */
import type { Peer } from './peer.ts';

export function createDirect(): Peer {
  return {
    name: 'direct',
    role: 'control',
    workers: undefined,
    version: () => Promise.resolve({ present: true, version: 'no balancer' }),
    start({ backends: [port] }) {
      if (port === undefined) return Promise.reject(new Error('there is no backend'));
      return Promise.resolve({ port, acceptingAfterMs: 0, pids: () => [], stop: () => Promise.resolve() });
    },
  };
}
