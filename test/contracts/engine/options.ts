/**
 * The part of the engine suite about what a connection is asked to be: where it comes from, options of its socket, and
 * one that is given up without an answer.
 */
import type { Test } from 'tap';
import { startBackend } from '../../harness/backend.ts';
import type { Address } from '../../../src/support/address.ts';
import type { EarlyOptions } from '../../../src/support/socket.ts';
import { accept, connectTo, STOPPED_CLOCK, type CreateEngine } from './fixture.ts';

/** TEST-NET-1 (RFC 5737): no machine has it. */
const FOREIGN = '192.0.2.1';

export function optionsContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  /** The address that a connect with these options came from. */
  async function hostOf(t: Test, address: Address, early: EarlyOptions): Promise<string> {
    const result = await connectTo(engine, address, 5_000, { early, noDelay: false });
    if (!result.ok) return result.failure.code;
    t.teardown(() => result.connection.reset());
    return result.connection.localAddress.replace(/:\d+$/, '');
  }

  void t.test('sources take turns, and one that this machine lacks is passed over', async t => {
    const { address } = await startBackend(t);
    const source = ['127.0.0.2', FOREIGN, '127.0.0.3', '::1'];
    const hosts: string[] = [];
    for (let i = 0; i < 6; i++) hosts.push(await hostOf(t, address, { source }));
    t.same([...new Set(hosts)].toSorted(), ['127.0.0.2', '127.0.0.3']);
  });

  void t.test('where none can be had, the connect fails and says so', async t => {
    const { address } = await startBackend(t);
    t.equal(await hostOf(t, address, { source: [FOREIGN] }), 'EADDRNOTAVAIL');
  });

  void t.test('where none is of the backend’s family, or there is no client, the system chooses', async t => {
    const { address } = await startBackend(t);
    t.equal(await hostOf(t, address, { source: ['::1'] }), '127.0.0.1');
    t.equal(await hostOf(t, address, { source: 'client' }), '127.0.0.1');
  });

  void t.test('options of its socket do not keep it from connecting', async t => {
    const { address } = await startBackend(t);
    const early = { dscp: 46, sendBufferBytes: 65_536, receiveBufferBytes: 65_536 };
    t.equal(await hostOf(t, address, early), '127.0.0.1');
  });

  void t.test('a client that is dropped meets no connection with its next bytes', async t => {
    const { client, accepted } = await accept(t, engine);
    engine.drop(accepted);
    await client.send('x').catch(() => undefined);
    t.equal(await client.untilEnded(), 'reset');
  });

  void t.test('a client of a unix socket that is dropped is reset or closed', async t => {
    const { client, accepted } = await accept(t, engine, 'unix');
    engine.drop(accepted);
    t.match(await client.untilEnded(), /^(fin|reset)$/);
  });
}
