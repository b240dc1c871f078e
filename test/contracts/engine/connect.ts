/**
 * The part of the engine suite about `connect`: what it opens, how it fails, how it is called off.
 */
import type { Test } from 'tap';

import { refusingAddress, scripts, startBackend, startDeafBackend } from '../../harness/backend.ts';
import { pause, until } from '../../harness/until.ts';
import {
  anywhere,
  connectTo,
  connected,
  hasFamily,
  socketPath,
  STOPPED_CLOCK,
  type CreateEngine,
} from './fixture.ts';

export function connectContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  void t.test('opens a connection without waiting for a byte from either side', async t => {
    const backend = await startBackend(t);
    const connection = await connected(t, engine, backend.address);
    t.match({ ...backend.address }, { host: connection.peerAddress, port: connection.peerPort });
  });

  void t.test('opens IPv6 connections', async t => {
    if (!(await hasFamily(t, 'IPv6'))) return;
    const backend = await startBackend(t, scripts.byHand, anywhere(t, 'IPv6'));
    const connection = await connected(t, engine, backend.address);
    t.equal(connection.peerAddress, '::1');
    t.equal(connection.localAddress, `[::1]:${(await backend.next()).socket.remotePort}`);
  });

  void t.test('knows its own address, as the peer sees it', async t => {
    const backend = await startBackend(t);
    const connection = await connected(t, engine, backend.address);
    t.equal(connection.localAddress, `127.0.0.1:${(await backend.next()).socket.remotePort}`);
    connection.reset();
    await until('its address is forgotten', () => connection.localAddress === '');
  });

  void t.test('opens unix connections, which have no address', async t => {
    const backend = await startBackend(t, scripts.byHand, anywhere(t, 'unix'));
    const { peerAddress, peerPort, localAddress } = await connected(t, engine, backend.address);
    t.strictSame([peerAddress, peerPort, localAddress], ['', 0, '']);
  });

  void t.test('a port that nobody listens on is a refusal', async t => {
    t.strictSame(await connectTo(engine, await refusingAddress()), {
      ok: false,
      failure: { reason: 'refused', code: 'ECONNREFUSED' },
    });
  });

  void t.test('a unix socket that does not exist is a refusal', async t => {
    t.strictSame(await connectTo(engine, { kind: 'unix', path: socketPath(t) }), {
      ok: false,
      failure: { reason: 'refused', code: 'ENOENT' },
    });
  });

  void t.test('an address that cannot be routed to is unreachable, not refused', async t => {
    // There is no TCP to a multicast group; nothing leaves the machine.
    const result = await connectTo(engine, { kind: 'tcp', host: '224.0.0.1', port: 9 });
    t.match(result, { ok: false, failure: { reason: 'unreachable', code: /^E/ } });
  });

  void t.test('a backend that does not accept in time is a timeout', async t => {
    const address = await startDeafBackend(t);
    for (let attempt = 0; attempt < 10; attempt++) {
      const result = await connectTo(engine, address, 250);
      // The first few fill the backlog.
      if (result.ok) {
        t.teardown(() => result.connection.reset());
        continue;
      }
      t.strictSame(result.failure, { reason: 'timeout', code: 'ETIMEDOUT' });
      return;
    }
    t.fail('every connect succeeded');
  });

  void t.test('a cancelled connect never reports, and a cancel after the report changes nothing', async t => {
    const backend = await startBackend(t);
    let reports = 0;
    engine.connect(backend.address, { timeoutMs: 20 }, () => reports++)();
    await pause(50);
    t.equal(reports, 0);

    await new Promise<void>(resolve => {
      const cancel = engine.connect(backend.address, { timeoutMs: 5000 }, result => {
        if (result.ok) t.teardown(() => result.connection.reset());
        cancel();
        cancel();
        resolve();
      });
    });
    await pause(30);
    t.equal(backend.peers.at(-1)?.ending, undefined, 'the connection lives');
  });
}
