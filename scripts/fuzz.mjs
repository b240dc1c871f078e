/**
 * `npm run fuzz`: plays random inputs to every parser of bytes from strangers, a million each, from a new seed.
 * `npm run fuzz -- 10000000` plays as many as it says; `LB4_TEST_SEED=1 npm run fuzz` plays those of a seed again.
 *
 * Place: test/fuzz has a file for each parser; `npm test` plays a slice of each that is the same every time.
 * Exit code: 0, or 1 if any failed; its output then has the seed and the input.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { testsIn } from './test-files.mjs';

const INPUTS = 1_000_000;

const inputs = Number(process.argv[2] ?? INPUTS);
if (!Number.isInteger(inputs) || inputs < 1) {
  process.stderr.write('npm run fuzz: the number of inputs must be a whole number of at least 1\n');
  process.exit(1);
}
const seed = process.env.LB4_TEST_SEED ?? String(randomInt(2 ** 31));
const env = { ...process.env, LB4_TEST_FUZZ: String(inputs), LB4_TEST_SEED: seed };
let failed = 0;
for (const file of testsIn(join('dist', 'test', 'fuzz'))) {
  const started = performance.now();
  const { status } = spawnSync(process.execPath, ['--enable-source-maps', file], {
    env,
    stdio: ['ignore', 2, 2],
  });
  const seconds = ((performance.now() - started) / 1_000).toFixed(0);
  if (status !== 0) failed += 1;
  process.stdout.write(
    `${file}: ${status === 0 ? 'passed' : 'FAILED'}, ${inputs} inputs, seed ${seed}, ${seconds} s\n`,
  );
}
process.exit(failed > 0 ? 1 : 0);
