/** What a client has sent before its relay begins leaves together with the preface. */
import t from 'tap';

import { loadLibc } from '../../../../src/linux/libc.ts';
import { accept, connected, startRelay } from '../../../contracts/engine/fixture.ts';
import { scripts, startBackend } from '../../../harness/backend.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';

const HEADER = 'PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n';
const preface = Buffer.from(HEADER);
const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

/** An engine that notes what each of its sends is asked to send. */
function engineThatNotes() {
  if (!loaded.ok) throw new Error(loaded.reason);
  const sent: string[] = [];
  const { libc } = loaded;
  const noting = {
    ...libc,
    send: (fd: number, buffer: Uint8Array, bytes: number, flags: number) => {
      sent.push(Buffer.from(buffer.subarray(0, bytes)).toString());
      return libc.send(fd, buffer, bytes, flags);
    },
  };
  return { engine: newEpollEngine({ libc: noting }), sent };
}

/** Resolves when the kernel has told the engine of the client's bytes, which then wait there. */
async function untilReadable(accepted: Parameters<typeof startRelay>[2]): Promise<void> {
  await new Promise<void>(resolve => accepted.watch(change => change === 'readable' && resolve()));
  accepted.unwatch();
}

void t.test('one send for both', { skip }, async t => {
  const { engine, sent } = engineThatNotes();
  const { client, accepted } = await accept(t, engine);
  await client.send('question');
  await untilReadable(accepted);
  const backend = await startBackend(t);
  const { relay } = startRelay(t, engine, accepted, await connected(t, engine, backend.address), { preface });
  const peer = await backend.next();
  await peer.untilText(`${HEADER}question`);
  t.same(sent, [`${HEADER}question`]);
  t.equal(relay.bytesFromClient, 8);
  await client.send(', and more');
  await peer.untilText(`${HEADER}question, and more`);
  t.equal(relay.bytesFromClient, 18);
});

void t.test('a client that has sent much and its FIN loses nothing', { skip }, async t => {
  const { engine } = engineThatNotes();
  const { client, accepted } = await accept(t, engine);
  await client.send('x'.repeat(50_000));
  client.halfClose();
  await untilReadable(accepted);
  const backend = await startBackend(t, scripts.answerAfterFin('answer'));
  const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address), { preface });
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.text, 'answer');
  t.equal(backend.peers[0]?.text, HEADER + 'x'.repeat(50_000));
  t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: 50_000 });
});
