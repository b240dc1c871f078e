/**
 * Inputs at random for parsers of bytes from strangers: `npm test` plays a slice that is the same each time,
 * `npm run fuzz` LB4_TEST_FUZZ inputs (a million or more) from a seed of its own (LB4_TEST_SEED), which it prints.
 */
import type { Test } from 'tap';
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

interface Parsed {
  readonly kind: string;
  /** Of one that is invalid. */
  readonly problem?: string;
}

/** A parser that reads bytes as they come: `incomplete` where they do not suffice yet. */
export interface Fuzzed<P extends Parsed> {
  readonly chance: Chance;
  readonly input: () => Buffer;
  readonly parse: (bytes: Uint8Array) => P;
  /** Why the answer cannot be right; undefined: it may be. */
  readonly wrong: (bytes: Buffer, parsed: P) => string | undefined;
  /** The kinds of answers and problems, each of which has to come up. */
  readonly kinds: readonly string[];
  /** Answers that more bytes may turn into others. Default: those that are `incomplete`. */
  readonly mayChange?: (parsed: P) => boolean;
}

/** Claims that the parser never throws, that its answers hold, and that bytes cut anywhere have the same one or none yet. */
export function fuzzed<P extends Parsed>(
  t: Test,
  { chance, input, parse, wrong, kinds, mayChange = ({ kind }) => kind === 'incomplete' }: Fuzzed<P>,
): void {
  const seen: Record<string, number> = {};
  for (let i = 0; i < FUZZ_INPUTS; i++) {
    const bytes = input();
    let problem: string | undefined;
    try {
      const parsed = parse(bytes);
      problem = wrong(bytes, parsed);
      const key = parsed.problem ?? parsed.kind;
      seen[key] = (seen[key] ?? 0) + 1;
      const cut = parse(bytes.subarray(0, chance.number(bytes.length + 1)));
      if (!mayChange(cut) && JSON.stringify(cut) !== JSON.stringify(parsed)) problem ??= 'a cut changes it';
    } catch (error) {
      problem = String(error);
    }
    if (problem !== undefined) {
      t.fail(`input ${i}: ${problem}`, { bytes: bytes.toString('hex') });
      return;
    }
  }
  for (const kind of kinds) t.ok((seen[kind] ?? 0) > FUZZ_INPUTS / 1_000, `${kind}: ${seen[kind] ?? 0}`);
}
