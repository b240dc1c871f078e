/** Looks at first bytes, as far as they are this engine's own: how much it reads, and what it meets while it does. */
import t from 'tap';

import { loadLibc } from '../../../../src/linux/libc.ts';
import type { PeekState } from '../../../../src/engine/engine.ts';
import { accept, connected, startRelay } from '../../../contracts/engine/fixture.ts';
import { peekAt } from '../../../contracts/engine/peeked.ts';
import { startBackend } from '../../../harness/backend.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';
import { descriptorOf } from '../../../harness/segments.ts';
import { until } from '../../../harness/until.ts';

const MSG_OOB = 1;

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

void t.test('no byte beyond the limit leaves the kernel', { skip }, async t => {
  const engine = newEpollEngine();
  const { client, accepted } = await accept(t, engine);
  await client.send(Buffer.alloc(100_000));
  await peekAt(t, accepted, 536).untilState('full');
  const backend = await startBackend(t);
  const { relay } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
  t.equal(relay.bytesFromClient, 536);
  await (await backend.next()).untilBytes(100_000);
});

void t.test(
  'a reset that a read meets before its event comes is one, here and in the relay',
  { skip },
  async t => {
    const engine = newEpollEngine();
    const { client, accepted } = await accept(t, engine);
    let state: PeekState | undefined;
    accepted.peek(12, () => {
      accepted.take(7);
      client.reset();
      // It looks again within this round of the engine.
      accepted.peek(100, (_bytes, seen) => (state = seen));
    });
    await client.send('header|hello');
    await until('it is seen', () => state !== undefined);
    t.equal(state, 'reset');
    t.ok(accepted.wasReset);

    const backend = await startBackend(t);
    const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
    const peer = await backend.next();
    t.equal(await peer.untilEnded(), 'reset');
    t.equal(peer.text, 'hello');
    t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: 5 });
  },
);

void t.test('urgent data hides nothing of what follows it', { skip }, async t => {
  if (!loaded.ok) return;
  const { libc } = loaded;
  const { client, accepted } = await accept(t, newEpollEngine());
  const fd = descriptorOf(client.socket);
  const send = (text: string, flags = 0): unknown => libc.send(fd, Buffer.from(text), text.length, flags);
  send('before');
  send('!', MSG_OOB);
  send('after');
  await peekAt(t, accepted).untilText('beforeafter');
});
