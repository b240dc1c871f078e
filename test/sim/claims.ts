/**
 * Over how many runs the claims of this folder are averages, and how exact they are then.
 *
 * Place: the tests of this folder. With less than the full load the same claims are made of fewer runs.
 */
import { FULL } from '../harness/full-load.ts';

export const SEEDS = FULL ? 20 : 5;
/** By how much an average over so few runs may be off. */
export const LOOSE = FULL ? 0 : 0.1;
/** By how much an imbalance may be worse with sharing than without. */
export const SLACK = 0.03 + LOOSE;
