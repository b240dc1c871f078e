/** The epoll engine under the suite that every engine passes. */
import t from 'tap';

import { loadLibc } from '../../../src/linux/libc.ts';
import { engineContract } from '../../contracts/engine.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';

const loaded = loadLibc();
if (loaded.ok) engineContract('epoll', options => newEpollEngine(options), { waitsIn: 'kernel' });
else t.pass(`skipped: ${loaded.reason}`, { skip: true });
