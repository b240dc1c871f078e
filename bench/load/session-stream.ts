/**
 * A stream of sessions at a rate, over several balancers in turn: each sees one byte echoed, lives for a while and
 * ends. So every balancer gets the same load, and what one of them uses more is not the load's doing.
 *
 * Sessions come at random (Poisson): at even distances every balancer's counts would change at the same points of
 * its periods.
 */
import type { Socket } from 'node:net';
import { closeSessions, openSessions } from './idle-client.ts';

export interface StreamLoad {
  readonly ports: readonly number[];
  /** Sessions per second over all ports together. */
  readonly ratePerSecond: number;
  /** How long a session lives. */
  readonly sessionMs: number;
}

export interface SessionStream {
  /** Starts no more, ends those that are open, and resolves with how many were started and how many failed. Idempotent. */
  stop(): Promise<{ readonly sessions: number; readonly errors: number }>;
}

const TICK_MS = 5;

export function startSessionStream({ ports, ratePerSecond, sessionMs }: StreamLoad): SessionStream {
  const running = new Set<Promise<void>>();
  /** End the sessions that are open now. */
  const endings = new Set<() => void>();
  let isStopped = false;
  let sessions = 0;
  let errors = 0;

  const lived = (): Promise<void> =>
    new Promise(resolve => {
      const end = (): void => {
        clearTimeout(timer);
        endings.delete(end);
        resolve();
      };
      const timer = setTimeout(end, sessionMs);
      endings.add(end);
      if (isStopped) end();
    });
  const run = async (port: number): Promise<void> => {
    let open: readonly Socket[] = [];
    try {
      open = await openSessions(port, 1, 1);
      await lived();
      // One that the balancer ended in the meantime is no session that was held.
      if (open.some(socket => socket.readyState !== 'open')) errors++;
    } catch {
      errors++;
    }
    await closeSessions(open);
  };
  const gapMs = (): number => (-Math.log(1 - Math.random()) * 1000) / ratePerSecond;

  let nextMs = performance.now() + gapMs();
  const timer = setInterval(() => {
    for (; nextMs <= performance.now(); nextMs += gapMs()) {
      const port = ports[sessions % ports.length];
      if (port === undefined) return;
      sessions++;
      const session = run(port).finally(() => running.delete(session));
      running.add(session);
    }
  }, TICK_MS);

  return {
    async stop() {
      isStopped = true;
      clearInterval(timer);
      for (const end of endings) end();
      await Promise.all(running);
      return { sessions, errors };
    },
  };
}
