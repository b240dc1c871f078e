/** A socket that reads much gives the others their turn. */
import t from 'tap';

import { NodeConnection } from '../../../../src/engine/node/node-connection.ts';
import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import { Turns } from '../../../../src/engine/node/turns.ts';
import { listen } from '../../../contracts/engine/fixture.ts';
import { connectClient } from '../../../harness/client.ts';
import { pause, until } from '../../../harness/until.ts';

const MIB = 1024 * 1024;

void t.test('of those that wait for their turn, one goes on in each, in order', async t => {
  const turns = new Turns();
  const went: string[] = [];
  const goOn = (name: string, again: boolean): void => {
    went.push(name);
    if (again) turns.next(() => goOn(name, false));
  };
  for (const name of ['a', 'b', 'c']) turns.next(() => goOn(name, name === 'a'));
  const seen: string[] = [];
  for (let turn = 0; turn < 5; turn++) {
    seen.push(went.join(''));
    await new Promise(setImmediate);
  }
  t.strictSame(seen, ['', 'a', 'ab', 'abc', 'abca']);
});

for (const takesHandles of [true, false]) {
  const how = takesHandles ? 'with buffers of the engine' : 'with plain streams';

  void t.test(`however much lies ready, 512 KiB are read per turn at most, ${how}`, async t => {
    const engine = createNodeEngine({ clock: { nowMs: 0 }, takesHandles });
    const { listener, clients } = await listen(t, engine);
    const client = await connectClient(t, listener.address);
    const bytes = 16 * MIB;
    void client.send(Buffer.alloc(bytes));
    await until('the client is accepted', () => clients.length > 0);
    await pause(50);
    const [accepted] = clients;
    if (!(accepted instanceof NodeConnection)) throw new Error('not a connection of this engine');
    let received = 0;
    let most = 0;
    let before = 0;
    const look = (): void => {
      most = Math.max(most, received - before);
      before = received;
      if (received < bytes) setImmediate(look);
    };
    accepted.own({
      onData: chunk => (received += chunk.length),
      onEnd: () => undefined,
      onDrain: () => undefined,
      onWriteFailed: () => undefined,
      onBroken: () => undefined,
      onClose: () => undefined,
    });
    look();
    await until('it is all read', () => received === bytes);
    t.ok(most <= MIB / 2, `${most} bytes in one turn`);
  });
}
