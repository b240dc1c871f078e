/** The epoll engine under the suite that every engine passes. */
import t from 'tap';

import { createEpollEngine } from '../../../src/engine/epoll/epoll-engine.ts';
import { loadLibc } from '../../../src/linux/libc.ts';
import { engineContract } from '../../contracts/engine.ts';

const loaded = loadLibc();
if (loaded.ok) {
  // The scripted peers live in this thread too: a wait must not keep them from answering.
  engineContract(
    'epoll',
    options =>
      createEpollEngine({ ...options, libc: loaded.libc, now: () => performance.now(), ceilingMs: 1 }),
    { waitsIn: 'kernel' },
  );
} else {
  t.pass(`skipped: ${loaded.reason}`, { skip: true });
}
