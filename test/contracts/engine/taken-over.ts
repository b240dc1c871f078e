/**
 * The part of the engine suite about taking over a socket that somebody else has bound and made to listen.
 *
 * Such a socket must be nobody else's in this process, and Node never lets go of one that it has made. So the
 * test makes it with the C library, through koffi; where that is missing it is skipped.
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import type { Test } from 'tap';

import { connectClient } from '../../harness/client.ts';
import { pause, until } from '../../harness/until.ts';
import type { Address } from '../../../src/support/address.ts';
import type { Connection } from '../../../src/engine/engine.ts';
import { STOPPED_CLOCK, type CreateEngine } from './fixture.ts';

export function takenOverContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  void t.test('a socket that listens already is taken over with its queue, and closed', async t => {
    const socket = listeningSocket();
    if (socket === undefined) {
      t.pass('skipped: no koffi, or not Linux', { skip: true });
      return;
    }
    const { fd, address } = socket;
    const early = await connectClient(t, address);
    await early.send('early');
    const clients: Connection[] = [];
    const listener = await engine.listen(
      { kind: 'listening', fd, address },
      { onClient: client => clients.push(client) },
    );
    t.teardown(async () => {
      await listener.close();
      for (const client of clients) client.reset();
    });
    t.strictSame(listener.address, address);
    const late = await connectClient(t, address);
    await until('both are accepted', () => clients.length === 2);
    t.strictSame(
      clients.map(client => client.peerPort),
      [early.socket.localPort, late.socket.localPort],
    );

    listener.pause();
    const waiting = await connectClient(t, address);
    await pause(20);
    t.equal(clients.length, 2);
    await listener.close();
    t.equal(clients[2]?.peerPort, waiting.socket.localPort);
    await t.rejects(connectClient(t, address), { code: 'ECONNREFUSED' });
  });

  void t.test('a descriptor that is no socket is an Lb4Error naming the address', async t => {
    await t.rejects(
      engine.listen(
        { kind: 'listening', fd: 999_999, address: { kind: 'tcp', host: '127.0.0.1', port: 1234 } },
        { onClient: () => undefined },
      ),
      { code: 'LB4_LISTEN_FAILED', message: /^cannot listen on 127\.0\.0\.1:1234: / },
    );
  });
}

/** A listening socket on a free port of 127.0.0.1 that Node knows nothing of; undefined if none can be made. */
function listeningSocket(): { readonly fd: number; readonly address: Address } | undefined {
  if (process.platform !== 'linux') return undefined;
  let koffi: typeof Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi');
  } catch {
    return undefined;
  }
  const libc = koffi.load(null);
  const [inet, stream, nonBlockingCloseOnExec] = [2, 1, 0o2004000];
  const fd: number = libc.func('int socket(int, int, int)')(inet, stream | nonBlockingCloseOnExec, 0);
  // sockaddr_in: family as the machine holds it, port and address in network order.
  const name = Buffer.alloc(16);
  new Uint16Array(name.buffer, name.byteOffset, 1)[0] = inet;
  name.writeUInt32BE(0x7f000001, 4);
  const failed =
    libc.func('int bind(int, void *, unsigned int)')(fd, name, name.length) !== 0 ||
    libc.func('int listen(int, int)')(fd, 16) !== 0 ||
    libc.func('int getsockname(int, void *, void *)')(fd, name, Buffer.from(Uint32Array.of(16).buffer)) !== 0;
  if (failed) throw new Error('the C library cannot make a listening socket');
  return { fd, address: { kind: 'tcp', host: '127.0.0.1', port: name.readUInt16BE(2) } };
}
