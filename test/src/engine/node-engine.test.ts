/** Runs the engine suite over the node engine. */
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import { engineContract } from '../../contracts/engine.ts';

engineContract('node', options => createNodeEngine(options), { waitsIn: 'room' });
