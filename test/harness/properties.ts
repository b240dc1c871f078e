/**
 * fast-check with a seed: the same inputs in each run, so that a failure is that of the change at hand.
 *
 * Place: every test that checks a property has `fc` from here; a seed that it gives itself comes before this one.
 * LB4_TEST_SEED is another seed. The long variants look for what no run has found: theirs is random and printed, and
 * fast-check names it with each failure.
 */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { FULL } from './full-load.ts';

const FIXED_SEED = 1;
const CHOSEN = process.env['LB4_TEST_SEED'];
const seed = CHOSEN === undefined ? (FULL ? randomInt(2 ** 31) : FIXED_SEED) : Number(CHOSEN);
if (FULL) process.stderr.write(`properties: LB4_TEST_SEED=${String(seed)}\n`);

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed });

export { fc };
