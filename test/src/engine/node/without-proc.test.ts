/** The node engine on a system that does not tell what a peer has received. */
import t from 'tap';

import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import { join } from '../../../contracts/engine/fixture.ts';
import { until } from '../../../harness/until.ts';

const MIB = 1024 * 1024;

void t.test('after data a reset arrives as a FIN, rather than taking bytes with it', async t => {
  const engine = createNodeEngine({ clock: { nowMs: 0 }, procNet: t.testdir() });
  const { client, backend, relay, ended } = await join(t, engine);
  client.stall();
  void backend.send(Buffer.alloc(3 * MIB, 'lb4'));
  await until('the relay has it all', () => relay.bytesFromBackend === 3 * MIB);
  backend.reset();
  await until('the reset is seen', () => relay.halfClosed);
  await client.send('still talking');
  client.read();
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.receivedBytes, 3 * MIB);
  client.halfClose();
  t.match(await ended(), { by: 'backend', reason: 'reset', bytesFromClient: 0 });
});

void t.test('where nothing was ever sent to the other side a reset stays a reset', async t => {
  const engine = createNodeEngine({ clock: { nowMs: 0 }, procNet: t.testdir() });
  const { client, backend } = await join(t, engine);
  backend.reset();
  t.equal(await client.untilEnded(), 'reset');
});
