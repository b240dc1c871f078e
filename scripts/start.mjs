/**
 * `npm start`: sets the clone up and becomes lb4. Without arguments it runs the demo; `npm start -- ARGS`
 * passes ARGS on. lb4 runs in this very process, so that signals and the exit code are its own.
 */
import { setUp } from './setup.mjs';

setUp();
if (process.argv.length === 2) process.argv.push('demo');
await import('../dist/bin/lb4.js');
