/**
 * `keepalive` and `userTimeout` of a listener or an upstream, as the engine takes them.
 */
import type { SocketOptions } from '../support/socket.ts';
import type { Config } from './schema/schema.ts';

export function socketOptions({
  keepalive,
  userTimeout,
}: Pick<Config['listeners'][number], 'keepalive' | 'userTimeout'>): SocketOptions {
  return {
    keepalive: keepalive && {
      idleMs: keepalive.idle,
      intervalMs: keepalive.interval,
      count: keepalive.count,
    },
    userTimeoutMs: userTimeout === 0 ? undefined : userTimeout,
  };
}
