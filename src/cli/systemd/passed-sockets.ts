/**
 * The listening sockets that the service manager has opened for this process (sd_listen_fds(3)).
 *
 * Place: read once by `lb4 run`, before anything else is started.
 * Invariant: the variables are gone afterwards, so that no child of lb4 takes the sockets for its own.
 */
import type { PassedSocket } from '../../support/socket.ts';

const FIRST_FD = 3;

/** Empty for another process's variables. */
export function takePassedSockets(env: NodeJS.ProcessEnv, pid: number): readonly PassedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) {
    Reflect.deleteProperty(env, name);
  }
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === undefined || !/^\d{1,4}$/.test(LISTEN_FDS)) return [];
  const names = LISTEN_FDNAMES.split(':');
  return Array.from({ length: Number(LISTEN_FDS) }, (_, i) => ({ fd: FIRST_FD + i, name: names[i] ?? '' }));
}
