/**
 * The result of a run as it is kept: JSON with an environment header and every single sample.
 *
 * Place: written by run.ts, read by table.ts and compare.ts; the schema is the one source of the types.
 * Invariants: `format` changes when the meaning of a field does; medians are not stored but computed from the
 * samples (summary.ts), so a file cannot contradict itself.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const environment = z.object({
  /** Start of the run, ISO 8601. */
  date: z.string(),
  cpu: z.string(),
  cpuCount: z.number(),
  memoryGib: z.number(),
  kernel: z.string(),
  node: z.string(),
  /** `git describe`; `-dirty` where the working tree had changes. */
  commit: z.string(),
  /** Who ran on which CPU. */
  pinning: z.string(),
  /** Whose loopback it was; older results do not say. */
  network: z.string().optional(),
  /** One-minute load average before the run: what else the machine was doing. */
  loadBefore: z.number(),
  /** Rounds that were completed. */
  rounds: z.number(),
  /** Backends behind each balancer, unless the scenario's title says otherwise. */
  backends: z.number(),
  /** By peer or tool, those that took part. */
  versions: z.record(z.string(), z.string()),
});

const figure = z.object({
  key: z.string(),
  label: z.string(),
  unit: z.string(),
  digits: z.number(),
  better: z.enum(['lower', 'higher', 'neither']),
});

/** Before the name of a system call, in the key of a figure that has no column of its own. */
export const CALLS_PREFIX = 'calls:';

const sample = z.object({
  round: z.number(),
  figures: z.record(z.string(), z.number()),
  errors: z.number(),
  /** Why there are no figures. */
  failure: z.string().optional(),
});

const peer = z.object({
  name: z.string(),
  role: z.enum(['subject', 'rival', 'control']),
  samples: z.array(sample),
});

const scenario = z.object({
  name: z.string(),
  title: z.string(),
  headline: z.string(),
  figures: z.array(figure),
  peers: z.array(peer),
});

const result = z.object({
  format: z.literal(1),
  environment,
  /** Peers and scenarios that were asked for and could not be measured. */
  absent: z.array(z.object({ name: z.string(), reason: z.string() })),
  scenarios: z.array(scenario),
});

export type Environment = z.infer<typeof environment>;
export type Sample = z.infer<typeof sample>;
export type PeerResult = z.infer<typeof peer>;
export type ScenarioResult = z.infer<typeof scenario>;
export type Result = z.infer<typeof result>;

/** Reads and checks a result; throws an error that names the file. */
export function readResult(file: string): Result {
  try {
    return result.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    throw new Error(`${file} is not a benchmark result: ${reason}`, { cause: error });
  }
}

/** Writes the result, and the folder if it is missing. */
export function writeResult(file: string, value: Result): void {
  writeJson(file, value);
}

/** Writes any value as JSON, and the folder if it is missing. */
export function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** `<folder>/<day>-<what>.json`, numbered from the second of a day on: a result is never overwritten. */
export function resultPath(folder: string, date: string, what: string): string {
  const stem = join(folder, `${date.slice(0, 10)}-${what}`);
  for (let number = 1; ; number++) {
    const file = number === 1 ? `${stem}.json` : `${stem}-${String(number)}.json`;
    if (!existsSync(file)) return file;
  }
}
