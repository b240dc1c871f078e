/** Runs the engine suite over the node engine, with the C library where it can be loaded. */
import { loadLibc } from '../../../src/linux/libc.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import { engineContract } from '../../contracts/engine.ts';

const loaded = loadLibc();
const libc = loaded.ok ? loaded.libc : undefined;
engineContract('node', options => createNodeEngine({ ...options, libc }), {
  waitsIn: libc === undefined ? 'room' : 'kernel',
});
