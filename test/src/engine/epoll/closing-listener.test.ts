/** A listener that closes while the process has no descriptors left: its last clients are handed over when it has. */
import t from 'tap';
import type { Connection } from '../../../../src/engine/engine.ts';
import { loadLibc } from '../../../../src/linux/libc.ts';
import { anywhere } from '../../../contracts/engine/fixture.ts';
import { connectClient } from '../../../harness/client.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';

const EMFILE = 24;
const loaded = loadLibc();

void t.test('descriptors that run out hold the close up, and lose no client', async t => {
  if (!loaded.ok) return void t.pass(`skipped: ${loaded.reason}`, { skip: true });
  const { libc } = loaded;
  let refusals = 0;
  let isRefused = false;
  const engine = newEpollEngine({
    libc: {
      ...libc,
      accept4: (...args) => {
        isRefused = refusals > 0;
        if (!isRefused) return libc.accept4(...args);
        refusals -= 1;
        return -1;
      },
      errno: () => (isRefused ? EMFILE : libc.errno()),
    },
  });
  const taken: Connection[] = [];
  const exhausted: string[] = [];
  const listener = await engine.listen(anywhere(t, 'IPv4'), {
    onClient: client => taken.push(client),
    onExhausted: code => exhausted.push(code),
  });
  listener.pause();
  const client = await connectClient(t, listener.address);
  refusals = 2;
  await listener.close();
  t.same(exhausted, ['EMFILE', 'EMFILE']);
  t.equal(taken.length, 1);
  taken[0]?.finish(Buffer.from('bye'));
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.text, 'bye');
  client.halfClose();
  engine.close();
});
