/**
 * `npm start`: sets the clone up and becomes lb4. Without arguments it runs the demo; `npm start -- ARGS`
 * passes ARGS on. lb4 runs in this very process, so that signals and the exit code are its own.
 */
import { existsSync } from 'node:fs';
import { setUp } from './setup.mjs';

setUp();
if (process.argv.length === 2) process.argv.push('demo');
const bundled = new URL('../dist/bundle/bin/lb4.js', import.meta.url);
// Setup leaves it out where it may not install what makes it.
await import(existsSync(bundled) ? bundled.href : '../dist/bin/lb4.js');
