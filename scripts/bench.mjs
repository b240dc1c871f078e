/** `npm run bench`: sets the clone up and measures lb4 beside its peers (bench/README.md). */
import { setUp } from './setup.mjs';

setUp();
await import('../dist/bench/run.js');
