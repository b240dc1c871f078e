/**
 * What the admin API of this process has around it: its timers, its clocks, and the C library.
 *
 * Place: `run` (serve-admin.ts) and `demo` (demo-dashboard.ts) give it to the server.
 */
import type { AdminServerDeps } from '../admin/admin-server.ts';
import { libcOrNone } from '../linux/libc.ts';
import { setUnrefTimer } from '../support/timer.ts';

export const ADMIN_SURROUNDINGS: Pick<AdminServerDeps, 'setTimer' | 'libc' | 'wallClock' | 'uptimeMs'> = {
  setTimer: setUnrefTimer,
  libc: libcOrNone,
  wallClock: () => Date.now(),
  uptimeMs: () => Math.round(process.uptime() * 1000),
};
