/**
 * Loaded into each test file (`--import`): balancers that the test starts in its own process get the bundled worker,
 * dist/bundle/bin/worker-main.js, in place of the same code in 230 files.
 *
 * Place: scripts/test.mjs asks for it while the bundle is current, unless it takes coverage, which wants the separate
 * files. A worker starts with 0.08 s of CPU in place of 0.25 s, and the tests start a thousand.
 */
import { syncBuiltinESMExports } from 'node:module';
import workerThreads from 'node:worker_threads';

const SEPARATE = new URL('../dist/src/host/worker-main.js', import.meta.url).href;
const BUNDLED = new URL('../dist/bundle/bin/worker-main.js', import.meta.url);
const { Worker } = workerThreads;

workerThreads.Worker = class extends Worker {
  constructor(script, options) {
    if (String(script) !== SEPARATE) super(script, options);
    // Without this file and without source maps: the bundle has none.
    else super(BUNDLED, { execArgv: [], ...options });
  }
};
syncBuiltinESMExports();
