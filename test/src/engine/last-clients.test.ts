/**
 * A listener that closes, and a client that comes at the worst moment: it is served or it is refused, never let in and
 * then reset. The moments are all there are: between any two system calls of the epoll engine, and in every turn of the
 * loop with the node engine, whose system calls are libuv's.
 */
import t, { type Test } from 'tap';

import type { Connection, Engine } from '../../../src/engine/engine.ts';
import { loadLibc, type Libc } from '../../../src/linux/libc.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import type { Address } from '../../../src/support/address.ts';
import { anywhere, hasFamily } from '../../contracts/engine/fixture.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { kernelClient, type KernelClient } from '../../harness/kernel-client.ts';

const loaded = loadLibc();
if (loaded.ok) tests(loaded.libc);
else t.pass(`skipped: ${loaded.reason}`, { skip: true });

function tests(libc: Libc): void {
  for (const family of ['IPv4', 'IPv6', 'unix'] as const) {
    void t.test(`epoll engine, ${family}: between any two system calls`, async t => {
      if (!(await hasFamily(t, family))) return;
      for (let moment = 0; ; moment++) {
        const interrupted = interruptible(libc);
        const close = closing(t, newEpollEngine({ libc: interrupted.libc }), libc, anywhere(t, family));
        if (!(await close(connect => interrupted.atCall(moment, connect)))) break;
      }
    });

    void t.test(`node engine, ${family}: in any turn of the loop`, async t => {
      if (!(await hasFamily(t, family))) return;
      for (let moment = 0; ; moment++) {
        const close = closing(t, createNodeEngine({ clock: { nowMs: 0 }, libc }), libc, anywhere(t, family));
        if (!(await close(connect => afterTurns(moment, connect)))) break;
      }
    });
  }

  /**
   * Closes a listener while `when` lets a client connect at some moment. False when the close was over before that
   * moment: then there are no more.
   */
  function closing(
    t: Test,
    engine: Engine,
    libc: Libc,
    where: Address,
  ): (when: (connect: () => void) => void) => Promise<boolean> {
    return async when => {
      const taken: Connection[] = [];
      const listener = await engine.listen(where, { onClient: client => taken.push(client) });
      let late: KernelClient | undefined;
      let isOver = false;
      when(() => {
        if (!isOver) late = kernelClient(t, libc, listener.address);
      });
      await listener.close();
      isOver = true;
      if (late === undefined) return false;
      const { port } = late;
      const state = late.state();
      if (taken.length > 0) t.strictSame([taken[0]?.peerPort, state], [port, 'connected']);
      else t.ok(['on its way', 'ECONNREFUSED', 'ENOENT'].includes(state), `refused: ${state}`);
      for (const client of taken) client.reset();
      return true;
    };
  }
}

/** The C library, with something in between before its n-th call from now on. */
function interruptible(libc: Libc): { readonly libc: Libc; atCall(n: number, interrupt: () => void): void } {
  let calls = 0;
  let at = Infinity;
  let interrupt = (): void => undefined;
  const entries = Object.entries(libc).map(([name, value]: [string, unknown]) => {
    if (typeof value !== 'function' || name === 'errno' || name === 'address') return [name, value];
    return [
      name,
      (...args: unknown[]): unknown => {
        if (calls++ === at) interrupt();
        return Reflect.apply(value, libc, args);
      },
    ];
  });
  return {
    // The same functions under the same names.
    libc: Object.fromEntries(entries),
    atCall: (n, then) => {
      calls = 0;
      at = n;
      interrupt = then;
    },
  };
}

function afterTurns(turns: number, then: () => void): void {
  if (turns === 0) then();
  else setImmediate(() => afterTurns(turns - 1, then));
}
