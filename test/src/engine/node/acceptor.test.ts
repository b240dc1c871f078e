/** What accepts on the node engine: a queue as long as was asked for, and descriptors that all go with it. */
import { readdirSync } from 'node:fs';
import { once } from 'node:events';
import t, { type Test } from 'tap';

import { loadLibc } from '../../../../src/linux/libc.ts';
import { duplicate } from '../../../../src/linux/listening-sockets.ts';
import { Acceptor, newServer } from '../../../../src/engine/node/acceptor.ts';
import { listen } from '../../../../src/engine/node/listen.ts';
import { find, runProgram } from '../../../harness/programs.ts';
import { until } from '../../../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

async function acceptor(t: Test): Promise<{ accepts: Acceptor; port: number }> {
  if (!loaded.ok) throw new Error(loaded.reason);
  const server = newServer();
  await listen(server, { host: '127.0.0.1', port: 0 });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('it has no port');
  const accepts = new Acceptor(
    server,
    loaded.libc,
    { takesHandles: true, kind: 'tcp' },
    { onHandle: handle => handle.close(), onSocket: socket => socket.destroy() },
  );
  t.teardown(() => accepts.close());
  return { accepts, port: bound.port };
}

async function queueOf(port: number): Promise<string | undefined> {
  const { stdout } = await runProgram('ss', ['-H', '-t', '-l', '-n', 'sport', '=', `:${port}`]);
  return /LISTEN\s+\d+\s+(\d+)/.exec(stdout)?.[1];
}

void t.test(
  'the queue stays as long as it was when accepting has stopped and begun again',
  { skip: skip !== false ? skip : find('ss') === undefined && 'this machine has no ss' },
  async t => {
    const { accepts, port } = await acceptor(t);
    const before = await queueOf(port);
    t.match(before, /^\d+$/);
    accepts.stop();
    t.equal(await queueOf(port), before, 'stopped');
    accepts.start();
    t.equal(await queueOf(port), before, 'begun again');

    const other = newServer();
    if (loaded.ok) await listen(other, { fd: duplicate(loaded.libc, accepts.fd ?? -1) });
    t.equal(await queueOf(port), before, 'taken over');
    other.close();
    await once(other, 'close');
  },
);

void t.test('however often it stops and starts, no descriptor is left', { skip }, async t => {
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  const { accepts } = await acceptor(t);
  for (let i = 0; i < 100; i++) {
    accepts.stop();
    accepts.stop();
    t.notOk(accepts.isAccepting);
    accepts.start();
    accepts.start();
    t.ok(accepts.isAccepting);
  }
  accepts.close();
  await until('all are closed', () => open() <= before);
});
