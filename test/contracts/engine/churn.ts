/**
 * The part of the engine suite about leaks: many sessions that end in every way, and nothing stays behind.
 */
import { readdirSync } from 'node:fs';
import type { Test } from 'tap';

import type { Connection, Engine, Relay } from '../../../src/engine/engine.ts';
import { connectClient } from '../../harness/client.ts';
import { FULL } from '../../harness/full-load.ts';
import type { Peer } from '../../harness/peer.ts';
import { pause, until } from '../../harness/until.ts';
import { scripts, startBackend } from '../../harness/backend.ts';
import {
  connected,
  listen,
  startBalancer,
  startRelay,
  STOPPED_CLOCK,
  type CreateEngine,
  type Joined,
} from './fixture.ts';
import { peekAt } from './peeked.ts';

/** The full load takes the epoll engine 16 s on two slow cores. */
const FULL_SESSIONS = 50_000;
const QUICK_SESSIONS = 2000;
const AT_ONCE = 100;
/** Sessions that begin with a look at the first bytes. */
const LOOKED_AT = 300;
/** Beside other long variants 50,000 sessions take two minutes. */
const TIMEOUT_MS = FULL ? 240_000 : 80_000;

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
  for (const [how, play] of [
    [`${total} sessions with mixed endings`, (t: Test, engine: Engine) => playMixed(t, engine, total)],
    [`${LOOKED_AT} sessions whose first bytes are looked at`, playAllLookedAt],
  ] as const) {
    void t.test(`${how} leave no socket, handle or descriptor behind`, { timeout: TIMEOUT_MS }, async t => {
      const before = openHandles();
      const descriptorsBefore = openDescriptors();
      // Its loop and its pipes stay with an engine.
      let descriptorsOfEngine = 0;
      await t.test('play them', { timeout: TIMEOUT_MS }, async t => {
        const engine = createEngine({ clock: STOPPED_CLOCK });
        descriptorsOfEngine = openDescriptors() - descriptorsBefore;
        await play(t, engine);
      });
      await until(`no more than ${before} handles are open`, () => openHandles() <= before);
      const allowed = descriptorsBefore + descriptorsOfEngine;
      await until(`no more than ${allowed} descriptors are open`, () => openDescriptors() <= allowed);
      t.pass();
    });
  }
}

async function playMixed(t: Test, engine: Engine, total: number): Promise<void> {
  let sessions = 0;
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
}

/** Clients whose first bytes are looked at, and sessions with a preface; in all ways. */
async function playAllLookedAt(t: Test, engine: Engine): Promise<void> {
  const { address } = await startBackend(t, scripts.answerAfterFin('answer'));
  let sessions = 0;
  const play = async (): Promise<void> => {
    const { listener, clients } = await listen(t, engine);
    for (let own = 0; sessions < LOOKED_AT; own++) {
      const ending = LOOKED_AT_ENDINGS[sessions++ % LOOKED_AT_ENDINGS.length];
      const client = await connectClient(t, listener.address);
      await until('the client is accepted', () => clients.length > own);
      const accepted = clients[own]!;
      const peeked = peekAt(t, accepted);
      await client.send('header|hello');
      await peeked.untilText('header|hello');
      const relay: LookedAt['relay'] = async (preface, end) => {
        accepted.take('header|'.length);
        const backend = await connected(t, engine, address);
        const { relay, ended } = startRelay(t, engine, accepted, backend, { preface });
        end(relay);
        await ended();
      };
      await ending?.({ client, accepted, relay });
    }
  };
  await Promise.all(Array.from({ length: 20 }, play));
}

interface LookedAt {
  readonly client: Peer;
  readonly accepted: Connection;
  readonly relay: (preface: Uint8Array, end: (relay: Relay) => void) => Promise<void>;
}

const SMALL = Buffer.alloc(100);
/** It does not fit into the kernel's buffers: some is still held when the session ends. */
const LARGE = Buffer.alloc(4 * 1024 * 1024);

const LOOKED_AT_ENDINGS: readonly ((session: LookedAt) => Promise<void> | void)[] = [
  ({ client }) => client.reset(),
  ({ accepted }) => accepted.reset(),
  ({ client, accepted }) => {
    accepted.take(3);
    accepted.finish(Buffer.from('goodbye'));
    client.halfClose();
  },
  ({ client, relay }) => relay(SMALL, () => client.halfClose()),
  ({ client, relay }) => relay(SMALL, () => client.reset()),
  ({ relay }) => relay(LARGE, started => started.abort()),
  ({ client, relay }) => relay(LARGE, () => client.halfClose()),
];

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
