/**
 * From samples to statements: median, spread, and lb4's ratio to the better of its rivals. Pure.
 *
 * The ratio is of medians, and the better rival is chosen per figure: lb4 is held to the best of all of them at once.
 */
import { median } from './measure/stats.ts';
import type { PeerResult, ScenarioResult } from './result-file.ts';

type Figure = ScenarioResult['figures'][number];

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Over the rounds in which the figure was measured; undefined if in none. */
export function spreadOf(peer: PeerResult, key: string): Spread | undefined {
  const values = peer.samples.flatMap(sample => sample.figures[key] ?? []);
  if (values.length === 0) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The subject's median divided by the better rival's, or by that of the rival with that name; undefined without both,
 * or where no direction is better.
 */
export function ratioOf(
  scenario: ScenarioResult,
  subject: PeerResult,
  figure: Figure,
  rivalName?: string,
): number | undefined {
  if (figure.better === 'neither') return undefined;
  const own = spreadOf(subject, figure.key);
  const rivals = scenario.peers
    .filter(peer => peer.role === 'rival' && (rivalName === undefined || peer.name === rivalName))
    .flatMap(peer => spreadOf(peer, figure.key)?.median ?? []);
  if (own === undefined || rivals.length === 0) return undefined;
  return own.median / (figure.better === 'lower' ? Math.min(...rivals) : Math.max(...rivals));
}

/** The figure that stands for the scenario in a summary. */
export function headlineOf(scenario: ScenarioResult): Figure {
  const found = scenario.figures.find(figure => figure.key === scenario.headline);
  if (found === undefined) throw new Error(`scenario ${scenario.name} has no figure ${scenario.headline}`);
  return found;
}

/** Failures and errors of a peer over all rounds, in words; empty if there were none. */
export function troublesOf(peer: PeerResult): string[] {
  const errors = peer.samples.reduce((total, sample) => total + sample.errors, 0);
  const failures = peer.samples.flatMap(sample =>
    sample.failure === undefined
      ? []
      : [`${peer.name}: round ${String(sample.round)} failed: ${sample.failure}`],
  );
  return errors === 0 ? failures : [`${peer.name}: ${String(errors)} errors`, ...failures];
}
