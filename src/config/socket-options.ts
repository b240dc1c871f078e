/**
 * `keepalive` and `userTimeout` of a listener or an upstream, and `deferAccept` of a listener, as the engine takes them.
 */
import type { SocketOptions } from '../support/socket.ts';
import type { Config } from './schema/schema.ts';

type Listener = Config['listeners'][number];
type SocketKeys = Pick<Listener, 'keepalive' | 'userTimeout'> & Partial<Pick<Listener, 'deferAccept'>>;

export function socketOptions({ keepalive, userTimeout, deferAccept = 0 }: SocketKeys): SocketOptions {
  return {
    keepalive: keepalive && {
      idleMs: keepalive.idle,
      intervalMs: keepalive.interval,
      count: keepalive.count,
    },
    userTimeoutMs: userTimeout === 0 ? undefined : userTimeout,
    deferAcceptMs: deferAccept === 0 ? undefined : deferAccept,
  };
}
