/**
 * The part of the engine suite about leaks: many sessions that end in every way, and nothing stays behind.
 */
import { readdirSync } from 'node:fs';
import type { Test } from 'tap';

import { FULL } from '../../harness/full-load.ts';
import { pause, until } from '../../harness/until.ts';
import { startBalancer, STOPPED_CLOCK, type CreateEngine, type Joined } from './fixture.ts';

/** The full load takes the epoll engine 16 s on two slow cores. */
const FULL_SESSIONS = 50_000;
const QUICK_SESSIONS = 2000;
const AT_ONCE = 100;
const TIMEOUT_MS = 80_000;

const ENDINGS: readonly ((joined: Joined) => void)[] = [
  ({ client }) => client.reset(),
  ({ backend }) => backend.reset(),
  ({ relay }) => relay.abort(),
  ({ client, backend }) => {
    client.halfClose();
    backend.halfClose();
  },
  ({ client, backend }) => {
    client.reset();
    backend.reset();
  },
  ({ client, backend }) => {
    client.socket.end('last words');
    backend.socket.end('farewell');
  },
  ({ client, backend }) => {
    client.socket.write('unread');
    backend.socket.destroy();
    client.halfClose();
  },
  ({ client, relay }) => {
    client.halfClose();
    relay.abort();
  },
];

/** @param fullSessions fewer for an engine whose resets wait for a look at the kernel's tables of sockets */
export function churnContract(t: Test, createEngine: CreateEngine, fullSessions = FULL_SESSIONS): void {
  const total = FULL ? fullSessions : QUICK_SESSIONS;
  void t.test(
    `${total} sessions with mixed endings leave no socket, handle or descriptor behind`,
    { timeout: TIMEOUT_MS },
    async t => {
      const before = openHandles();
      const descriptorsBefore = openDescriptors();
      let sessions = 0;
      // Its loop and its pipes stay with an engine.
      let descriptorsOfEngine = 0;
      await t.test('play them', { timeout: TIMEOUT_MS }, async t => {
        const engine = createEngine({ clock: STOPPED_CLOCK });
        descriptorsOfEngine = openDescriptors() - descriptorsBefore;
        const play = async (): Promise<void> => {
          const join = await startBalancer(t, engine);
          while (sessions < total) {
            const joined = await join();
            const ending = ENDINGS[sessions++ % ENDINGS.length];
            if (sessions % 3 === 0) await joined.client.send('hello');
            if (sessions % 5 === 0) await joined.backend.send('welcome');
            if (sessions % 2 > 0) await pause(0);
            ending?.(joined);
            await joined.ended();
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, play));
      });
      await until(`no more than ${before} handles are open`, () => openHandles() <= before);
      const allowed = descriptorsBefore + descriptorsOfEngine;
      await until(`no more than ${allowed} descriptors are open`, () => openDescriptors() <= allowed);
      t.pass();
    },
  );
}

/** Everything this process holds open; 0 where the system does not tell. */
function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

/** Sockets, listening sockets and pending requests of this process. */
function openHandles(): number {
  const kinds = ['TCPSocketWrap', 'TCPServerWrap', 'PipeWrap', 'PipeServerWrap', 'TCPConnectWrap'];
  return process.getActiveResourcesInfo().filter(kind => kinds.includes(kind)).length;
}
