/** The epoll engine over node:ffi, which it takes where koffi is missing, under the suite that every engine passes. */
import t from 'tap';

import { createEpollEngine } from '../../../src/engine/epoll/epoll-engine.ts';
import { FFI_NAMES, loadLibc } from '../../../src/linux/libc.ts';
import { engineContract } from '../../contracts/engine.ts';

const loaded = loadLibc({ ffis: FFI_NAMES.filter(ffi => ffi === 'node:ffi') });
if (loaded.ok) {
  const { libc } = loaded;
  engineContract(
    'epoll over node:ffi',
    options => createEpollEngine({ ...options, libc, now: () => performance.now(), ceilingMs: 1 }),
    { waitsIn: 'kernel' },
  );
} else {
  t.pass('skipped: no node:ffi, which Node has from 26.9 on', { skip: true });
}
