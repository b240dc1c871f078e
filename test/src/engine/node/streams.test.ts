/** Runs the engine suite over the node engine as it is where a Node's handles look different: with plain streams. */
import t from 'tap';
import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import { engineContract } from '../../../contracts/engine.ts';

const isFull = process.env['LB4_TEST_LOAD'] === 'full';
if (!isFull) t.comment('this Node has the handles: LB4_TEST_LOAD=full runs the suite without them');
else
  engineContract('node (plain streams)', options => createNodeEngine({ ...options, takesHandles: false }), {
    waitsIn: 'room',
  });
