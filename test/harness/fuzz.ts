/**
 * Inputs at random for parsers of bytes from strangers: `npm test` plays a slice that is the same each time,
 * `npm run fuzz` LB4_TEST_FUZZ inputs (a million or more) from a seed of its own (LB4_TEST_SEED), which it prints.
 */
import { seeded } from '../../src/sim/seeded.ts';

const SLICE = 20_000;
const FIXED_SEED = 20_260_101;

export const FUZZ_INPUTS = Number(process.env['LB4_TEST_FUZZ'] ?? SLICE);
export const FUZZ_SEED = Number(process.env['LB4_TEST_SEED'] ?? FIXED_SEED);

export class Chance {
  readonly #random = seeded(FUZZ_SEED);

  /** From 0 to `below` - 1. */
  number(below: number): number {
    return Math.floor(this.#random() * below);
  }

  is(probability: number): boolean {
    return this.#random() < probability;
  }

  of<Value>(values: readonly Value[]): Value {
    return values[this.number(values.length)] as Value; // the callers pass lists with elements
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.number(256)));
  }

  /** The bytes with a few changes such as networks, defects and attackers make. */
  mutated(bytes: Buffer): Buffer {
    let result = bytes;
    for (let left = this.number(4); left > 0; left--) result = this.#change(result);
    return result;
  }

  #change(bytes: Buffer): Buffer {
    const at = this.number(bytes.length + 1);
    switch (this.number(6)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return Buffer.concat([bytes.subarray(0, at), this.bytes(this.number(8)), bytes.subarray(at)]);
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + this.number(4))]);
      case 3:
        return Buffer.concat([bytes, bytes.subarray(at)]);
      case 4: {
        const changed = Buffer.from(bytes);
        if (at < changed.length) changed[at] = this.of([0, 1, 0x0a, 0x0d, 0x20, 0x7f, 0x80, 0xff]);
        return changed;
      }
      default: {
        const changed = Buffer.from(bytes);
        if (at < changed.length) changed[at] = (changed[at] ?? 0) ^ (1 << this.number(8));
        return changed;
      }
    }
  }
}
