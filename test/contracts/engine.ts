/**
 * The suite that every engine passes: rows of the semantics table that belong to sockets and relay, played
 * with real sockets by scripted peers.
 *
 * Use: `engineContract('node', options => createNodeEngine(options))` in a test file of the engine.
 */
import t, { type Test } from 'tap';

import { churnContract } from './engine/churn.ts';
import { connectContract } from './engine/connect.ts';
import { endingsContract } from './engine/endings.ts';
import type { CreateEngine } from './engine/fixture.ts';
import { lateByteContract } from './engine/late-byte.ts';
import { listenContract } from './engine/listen.ts';
import { orderContract } from './engine/order.ts';
import { optionsContract } from './engine/options.ts';
import { paceContract } from './engine/pace.ts';
import { peekContract } from './engine/peek.ts';
import { prefaceContract } from './engine/preface.ts';
import { relayContract } from './engine/relay.ts';
import { resetsContract } from './engine/resets.ts';
import { reuseContract } from './engine/reuse.ts';
import { takenOverContract } from './engine/taken-over.ts';
import { unownedContract } from './engine/unowned.ts';

export type { CreateEngine } from './engine/fixture.ts';

/**
 * Declares the tests; `createEngine` is called afresh for every test. `waitsIn`: where the clients of a paused
 * listener wait: in a bounded room of the engine's, or in the kernel's own queue. `fullSessions`: how many end in all
 * ways under the full load; default 50,000.
 */
export function engineContract(
  name: string,
  createEngine: CreateEngine,
  { waitsIn, fullSessions }: { readonly waitsIn: 'room' | 'kernel'; readonly fullSessions?: number },
): void {
  for (const [part, contract] of Object.entries({
    listen: listenContract,
    'a socket taken over': takenOverContract,
    connect: connectContract,
    options: optionsContract,
    'watch, finish, reset': unownedContract,
    'peek, take': peekContract,
    relay: relayContract,
    pace: paceContract,
    endings: endingsContract,
    resets: resetsContract,
    reuse: reuseContract,
    'late bytes': lateByteContract,
    preface: prefaceContract,
    order: orderContract,
    churn: (test: Test, create: CreateEngine) => churnContract(test, create, fullSessions),
  })) {
    void t.test(`${name} engine, ${part}`, { timeout: 80_000 }, t => {
      contract(t, createEngine, waitsIn);
      t.end();
    });
  }
}
