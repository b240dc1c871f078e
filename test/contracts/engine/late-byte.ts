/**
 * The part of the engine suite about bytes that come too late on a connection that has served before: the client
 * they were meant for has left, and no other may see them.
 */
import type { Test } from 'tap';

import type { RelayOutcome } from '../../../src/engine/engine.ts';
import { scripts, startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import { pause, until } from '../../harness/until.ts';
import { connected, listen, startRelay, STOPPED_CLOCK, type CreateEngine } from './fixture.ts';
import { joinForReuse, leaveClean } from './reuse-fixture.ts';

export function lateByteContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  for (const moment of ['before the next client has it', 'while the next client is silent'] as const) {
    void t.test(`a byte that comes ${moment} never reaches that client, who starts over`, async t => {
      const reusing = await joinForReuse(t, engine);
      const clean = await leaveClean(t, reusing);
      const early = moment === 'before the next client has it';
      if (early) {
        await reusing.backend.send('too late');
        await pause(20);
      }
      const { listener, clients } = await listen(t, engine);
      const client = await connectClient(t, listener.address);
      await until('the engine has the client', () => clients.length > 0);
      let stale = false;
      engine.relay(
        clients[0]!,
        clean,
        {
          onHalfClosed: () => t.fail('nothing has ended'),
          onEnd: () => t.fail('it is not over'),
          onStale: () => (stale = true),
        },
        { reuse: true, reused: true },
      );
      t.notOk(stale, 'not before the call has returned');
      if (!early) {
        await pause(20);
        await reusing.backend.send('too late');
      } else {
        await client.send('question');
      }
      await until('the relay has given up', () => stale);
      t.equal(await reusing.backend.untilEnded(), 'reset');
      t.equal(reusing.backend.text, 'question', 'the backend has heard nothing of the second client');

      const fresh = await startBackend(t, scripts.echo);
      startRelay(t, engine, clients[0]!, await connected(t, engine, fresh.address));
      if (!early) await client.send('question');
      await client.untilText('question');
      t.equal(client.text, 'question');
    });
  }

  void t.test('a reused connection serves a client that speaks first, as any other', async t => {
    const reusing = await joinForReuse(t, engine, scripts.echo);
    await reusing.client.send('one');
    await reusing.client.untilText('one');
    reusing.client.halfClose();
    const { cleanBackend } = await reusing.ended();
    const { listener, clients } = await listen(t, engine);
    const client = await connectClient(t, listener.address);
    await until('the engine has the client', () => clients.length > 0);
    const ended = new Promise<RelayOutcome>(resolve => {
      engine.relay(
        clients[0]!,
        cleanBackend!,
        { onHalfClosed: () => undefined, onEnd: resolve, onStale: () => t.fail('nothing is stale') },
        { reuse: true, reused: true },
      );
    });
    await client.send('two');
    await client.untilText('two');
    client.halfClose();
    const outcome = await ended;
    t.match(outcome, { bytesFromClient: 3, bytesFromBackend: 3 });
    outcome.cleanBackend?.reset();
  });
}
