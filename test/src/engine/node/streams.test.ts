/**
 * Runs the engine suite over the node engine as it is where a Node's handles look different, with plain streams, and
 * where the C library cannot be loaded, with the kernel's socket tables.
 */
import '../../../harness/own-network.ts';
import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import { engineContract } from '../../../contracts/engine.ts';

engineContract(
  'node (plain streams, no C library)',
  options => createNodeEngine({ ...options, takesHandles: false }),
  { waitsIn: 'room', fullSessions: 5_000 },
);
