/** Taking accepted handles from Node. */
import { createServer } from 'node:net';
import t from 'tap';

import { takeHandles } from '../../../../src/engine/node/accept.ts';

void t.test('a server whose handle looks different keeps its own way', t => {
  const server = createServer();
  const never = (): void => {
    t.fail('nobody was accepted');
  };
  t.notOk(takeHandles(server, never), 'no handle at all');
  Reflect.set(server, '_handle', { somethingElse: () => undefined });
  t.notOk(takeHandles(server, never), 'no onconnection');
  t.end();
});

void t.test('a failed accept hands over nothing, and every client is told not to wait for more bytes', t => {
  const server = createServer();
  const onconnection: (error: number, accepted: unknown) => void = () => undefined;
  const handle = { onconnection };
  Reflect.set(server, '_handle', handle);
  const taken: unknown[] = [];
  t.ok(takeHandles(server, accepted => taken.push(accepted)));
  handle.onconnection(-24, undefined);
  t.strictSame(taken, []);
  // The listening handle has no setNoDelay to hand down, so each client's own is called.
  let noDelay = false;
  const client = { close: () => undefined, setNoDelay: (on: boolean) => (noDelay = on) };
  handle.onconnection(0, client);
  t.equal(taken[0], client);
  t.ok(noDelay);
  t.end();
});
