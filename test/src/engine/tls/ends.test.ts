/** How sessions with TLS end: half-closes, cut connections, resets; every one as RFC 8446, 6.1 says. */
import t from 'tap';
import '../../../harness/run-once.ts';
import { withoutOpenssl } from '../../../harness/tls-authority.ts';
import { TlsPeer } from '../../../harness/tls-peer.ts';
import { until } from '../../../harness/until.ts';
import { joinTls, newEngine, SIDES } from './fixture.ts';

const MIB = 1024 * 1024;
const skip = withoutOpenssl;

for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const sides of SIDES) {
    const name = `${maxVersion}, TLS with ${sides}`;
    void t.test(`${name}: either side may finish first, and hears the rest`, { skip }, async t => {
      for (const by of ['client', 'backend'] as const) {
        const { client, backend, ended } = await joinTls(t, newEngine(), sides, { maxVersion });
        const [first, second] = by === 'client' ? [client, backend] : [backend, client];
        await first.send('question');
        first.halfClose();
        await second.untilText('question');
        t.equal(await second.untilEnded(), endOf(second), 'the end is passed on');
        await second.send('answer');
        await second.send(' and more');
        await first.untilText('answer and more');
        second.halfClose();
        t.equal(await first.untilEnded(), endOf(first));
        const bytes = by === 'client' ? [8, 15] : [15, 8];
        t.match(await ended(), {
          by,
          reason: 'closed',
          bytesFromClient: bytes[0],
          bytesFromBackend: bytes[1],
        });
      }
    });

    void t.test(`${name}: a reset follows all bytes before it, with a slow reader`, { skip }, async t => {
      for (const by of ['client', 'backend'] as const) {
        const { client, backend, relay, ended } = await joinTls(t, newEngine(), sides, { maxVersion });
        const [first, second] = by === 'client' ? [client, backend] : [backend, client];
        stall(second);
        void first.send(Buffer.alloc(3 * MIB));
        const relayed = (): number => relay.bytesFromClient + relay.bytesFromBackend;
        await until('the relay has it all', () => relayed() === 3 * MIB);
        first.reset();
        await until('the reset is seen', () => relay.halfClosed);
        t.ok(second.receivedBytes < 2 * MIB, 'the reader is behind');
        read(second);
        t.equal(await second.untilEnded(), 'reset');
        t.equal(second.receivedBytes, 3 * MIB);
        t.match(await ended(), { by, reason: 'reset' });
      }
    });

    void t.test(`${name}: 8 MB, then the end, to a slow reader`, { skip }, async t => {
      for (const by of ['client', 'backend'] as const) {
        const { client, backend, ended } = await joinTls(t, newEngine(), sides, { maxVersion });
        const [first, second] = by === 'client' ? [client, backend] : [backend, client];
        stall(second);
        void first.send(Buffer.alloc(8 * MIB));
        first.halfClose();
        setTimeout(() => read(second), 50);
        t.equal(await second.untilEnded(), endOf(second));
        t.equal(second.receivedBytes, 8 * MIB);
        second.halfClose();
        t.match(await ended(), { by, reason: 'closed' });
      }
    });
  }

  void t.test(
    `${maxVersion}: a client that is cut off without close_notify counts as reset`,
    { skip },
    async t => {
      const { client, backend, ended } = await joinTls(t, newEngine(), 'both', { maxVersion });
      await client.send('half of it');
      await backend.untilText('half of it');
      if (client instanceof TlsPeer) client.truncate();
      t.equal(await backend.untilEnded(), 'reset');
      t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: 10 });
    },
  );

  void t.test(
    `${maxVersion}: a backend that is cut off resets the client behind its bytes`,
    { skip },
    async t => {
      const { client, backend, ended } = await joinTls(t, newEngine(), 'both', { maxVersion });
      stall(client);
      await backend.send(Buffer.alloc(3 * MIB));
      if (backend instanceof TlsPeer) backend.truncate();
      setTimeout(() => read(client), 50);
      t.equal(await client.untilEnded(), 'reset');
      t.equal(client.receivedBytes, 3 * MIB);
      t.match(await ended(), { by: 'backend', reason: 'reset' });
    },
  );
}

type Played = Awaited<ReturnType<typeof joinTls>>['client'];

/** What a clean end is to a peer. */
function endOf(peer: Played): string {
  return peer instanceof TlsPeer ? 'close_notify' : 'fin';
}

function stall(peer: Played): void {
  if (peer instanceof TlsPeer) peer.tls.pause();
  else peer.stall();
}

function read(peer: Played): void {
  if (peer instanceof TlsPeer) peer.tls.resume();
  else peer.read();
}
