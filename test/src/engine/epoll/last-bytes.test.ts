/** The FIN leaves in the segment of the last byte, and nothing is ever held back without a FIN behind it. */
import t, { type Test } from 'tap';

import { MSG_MORE } from '../../../../src/linux/abi.ts';
import { loadLibc, type Libc } from '../../../../src/linux/libc.ts';
import { connected, join, listen, startRelay } from '../../../contracts/engine/fixture.ts';
import { startBackend } from '../../../harness/backend.ts';
import { connectClient } from '../../../harness/client.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';
import { segmentsIn, sayAndEnd } from '../../../harness/last-words.ts';
import { until } from '../../../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

/** The flags of every send, in order. */
function recorded(libc: Libc): { libc: Libc; flags: number[] } {
  const flags: number[] = [];
  return {
    flags,
    libc: {
      ...libc,
      send: (fd, buffer, bytes, flag) => {
        flags.push(flag);
        return libc.send(fd, buffer, bytes, flag);
      },
    },
  };
}

void t.test('an answer and its FIN reach the client in one segment', { skip }, async t => {
  if (!loaded.ok) return;
  const { client, backend, ended } = await join(t, newEpollEngine({ trustsShortReads: true }));
  await client.send('question');
  await backend.untilText('question');
  const before = segmentsIn(loaded.libc, client);
  sayAndEnd(loaded.libc, backend, 'answer');
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.text, 'answer');
  t.equal(segmentsIn(loaded.libc, client) - before, 1);
  client.halfClose();
  t.match(await ended(), { by: 'backend', reason: 'closed' });
});

void t.test('so do the last bytes of a client and its FIN at the backend', { skip }, async t => {
  if (!loaded.ok) return;
  const { client, backend, ended } = await join(t, newEpollEngine({ trustsShortReads: true }));
  await client.send('hello');
  await backend.untilText('hello');
  const before = segmentsIn(loaded.libc, backend);
  sayAndEnd(loaded.libc, client, ', bye');
  t.equal(await backend.untilEnded(), 'fin');
  t.equal(backend.text, 'hello, bye');
  t.equal(segmentsIn(loaded.libc, backend) - before, 1);
  backend.halfClose();
  t.match(await ended(), { by: 'client', reason: 'closed' });
});

void t.test('bytes without an end behind them are sent at once', { skip }, async t => {
  if (!loaded.ok) return;
  const { libc, flags } = recorded(loaded.libc);
  const { client, backend } = await join(t, newEpollEngine({ libc }));
  for (const text of ['one', 'two', 'three']) {
    await client.send(text);
    await backend.untilText(text);
    await backend.send(text);
    await client.untilText(text);
  }
  t.equal(flags.length, 6);
  for (const flag of flags) t.equal(flag & MSG_MORE, 0);
});

/** What a client of a reusing pool says last is followed by the connection's return, not by a FIN. */
async function reusing(t: Test): Promise<number[]> {
  if (!loaded.ok) return [];
  const { libc, flags } = recorded(loaded.libc);
  const engine = newEpollEngine({ libc });
  const backend = await startBackend(t);
  const { listener, clients } = await listen(t, engine);
  const client = await connectClient(t, listener.address);
  await until('the client is accepted', () => clients.length === 1);
  const connection = await connected(t, engine, backend.address);
  startRelay(t, engine, clients[0]!, connection, { reuse: true });
  const peer = await backend.next();
  sayAndEnd(loaded.libc, client, 'bye');
  await peer.untilText('bye');
  return flags;
}

void t.test('nor are a client’s last bytes held back where the backend may be reused', { skip }, async t => {
  const flags = await reusing(t);
  t.equal(flags.length, 1);
  t.equal(
    flags.some(flag => (flag & MSG_MORE) !== 0),
    false,
  );
});
