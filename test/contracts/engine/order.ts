/**
 * The part of the engine suite about order between connections: who comes first is served first.
 *
 * A loopback connect is in its listener's queue when it returns, so the order in which the backend accepts is the
 * order in which the engine has connected, and what the n-th of them sends first says whose it is.
 */
import { connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

import type { Address } from '../../../src/support/address.ts';
import { FULL } from '../../harness/full-load.ts';
import { until } from '../../harness/until.ts';
import { listen, STOPPED_CLOCK, type CreateEngine } from './fixture.ts';

const PAIRS = FULL ? 1500 : 200;

export function orderContract(t: Test, createEngine: CreateEngine): void {
  void t.test(`${PAIRS} pairs of clients reach the backend in the order they came`, async t => {
    const engine = createEngine({ clock: STOPPED_CLOCK });
    const first = await startFirstWords(t);
    const { listener } = await listen(t, engine, undefined, client => {
      engine.connect(first.address, { timeoutMs: 5000 }, result => {
        if (result.ok) engine.relay(client, result.connection, { onHalfClosed() {}, onEnd() {} });
        else t.fail(result.failure.code);
      });
    });
    if (listener.address.kind !== 'tcp') return;
    const { host, port } = listener.address;

    let inverted = 0;
    for (let pair = 0; pair < PAIRS; pair++) {
      first.words.length = 0;
      const clients = ['1', '2'].map(word =>
        connect({ host, port }, function (this: Socket) {
          this.write(word);
        }),
      );
      await until(
        'both have arrived',
        () => first.words.every(word => word !== '') && first.words.length === 2,
      );
      if (first.words.join('') !== '12') inverted++;
      for (const client of clients) client.resetAndDestroy();
    }
    t.equal(inverted, 0, 'none inverted');
  });
}

/** A backend that keeps the first word of each connection, in the order of accepting. */
async function startFirstWords(t: Test): Promise<{ readonly address: Address; readonly words: string[] }> {
  const words: string[] = [];
  const server = createServer(socket => {
    const index = words.push('') - 1;
    socket.once('data', word => (words[index] = word.toString()));
    socket.on('error', () => undefined);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the backend has no port');
  return { address: { kind: 'tcp', host: '127.0.0.1', port: address.port }, words };
}
