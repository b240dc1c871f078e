/** LB4_TEST_SHORT_READS=distrust reaches the workers: what a short read would have proved is read. */
import t from 'tap';

import { loadLibc } from '../../src/linux/libc.ts';
import type { TcpAddress } from '../../src/support/address.ts';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { segmentsIn, sayAndEnd } from '../harness/last-words.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import '../harness/run-once.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

for (const [value, segments] of [
  ['', 1],
  ['distrust', 2],
] as const) {
  const name = value === '' ? 'a short read before a FIN is the end' : `with ${value} the FIN is read first`;
  void t.test(name, { skip }, async t => {
    if (!loaded.ok) return;
    const backend = await startBackend(t);
    const { host, port } = backend.address as TcpAddress;
    const args = ['--engine', 'epoll', '--workers', '1', '--health', 'off', '-b', `${host}:${port}`];
    const lb4 = await startLb4(t, args, {
      env: { LB4_TEST_SHORT_READS: value },
    });
    t.notOk(
      lb4.lines.some(({ event }) => event === 'unknownVariable'),
      'it is no variable of an option',
    );
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('question');
    const peer = await backend.next();
    await peer.untilText('question');
    const before = segmentsIn(loaded.libc, client);
    sayAndEnd(loaded.libc, peer, 'answer');
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.text, 'answer');
    t.equal(segmentsIn(loaded.libc, client) - before, segments);
  });
}
