/**
 * `node dist/bench/compare.js BEFORE AFTER`: how each figure moved from one result to another.
 *
 * Absolute figures of two runs differ by machine and day, so the ratio to the better rival, which was measured in
 * the same run, is shown first; a change that stays within both runs' spread is marked as such.
 */
import { wordsOf } from '../src/errors.ts';
import { alignedTable, formatNumber, type Rows } from './format.ts';
import { readResult, type Environment, type Result, type ScenarioResult } from './result-file.ts';
import { ratioOf, spreadOf, type Spread } from './summary.ts';

const USAGE = 'usage: node dist/bench/compare.js BEFORE AFTER\n';
/** Header fields that make absolute figures incomparable when they differ. */
const MUST_AGREE = [
  'cpu',
  'cpuCount',
  'kernel',
  'node',
  'pinning',
  'backends',
] as const satisfies readonly (keyof Environment)[];

function main(): void {
  const [before, after, ...rest] = process.argv.slice(2);
  if (before === undefined || after === undefined || rest.length > 0) throw new Error('expected two files');
  process.stdout.write(`${compare(readResult(before), readResult(after))}\n`);
}

function compare(before: Result, after: Result): string {
  const parts = [differences(before.environment, after.environment).join('\n')];
  for (const scenario of after.scenarios) {
    const earlier = before.scenarios.find(({ name }) => name === scenario.name);
    // The title holds the sizes: figures of another size are not the same figures.
    if (earlier === undefined || earlier.title !== scenario.title) {
      parts.push(`${scenario.title}\n  not in the earlier result`);
    } else {
      parts.push(`${scenario.title}\n${alignedTable(rows(earlier, scenario))}`);
    }
  }
  return parts.filter(part => part !== '').join('\n\n');
}

function differences(before: Environment, after: Environment): string[] {
  return MUST_AGREE.filter(key => before[key] !== after[key]).map(
    key => `! ${key} differs: ${String(before[key])} → ${String(after[key])}; trust the ratios only`,
  );
}

function rows(before: ScenarioResult, after: ScenarioResult): Rows {
  const body = after.peers.flatMap(peer => {
    const earlier = before.peers.find(({ name }) => name === peer.name);
    if (earlier === undefined) return [];
    const figures = after.figures.filter(figure => figure.better !== 'neither');
    const ratios = figures.flatMap(figure => {
      const pair = [ratioOf(before, earlier, figure), ratioOf(after, peer, figure)] as const;
      if (peer.role !== 'subject' || pair[0] === undefined || pair[1] === undefined) return [];
      return [row(`${peer.name} / better rival, ${figure.label}`, pair[0], pair[1], 2, '')];
    });
    const absolute = figures.flatMap(figure => {
      const [old, now] = [spreadOf(earlier, figure.key), spreadOf(peer, figure.key)];
      if (old === undefined || now === undefined) return [];
      const name = `${peer.name}, ${figure.label} ${figure.unit}`;
      return [row(name, old.median, now.median, figure.digits, overlap(old, now) ? 'within spread' : '')];
    });
    return [...ratios, ...absolute];
  });
  return [['', 'before', 'after', 'change', ''], ...body];
}

function row(name: string, before: number, after: number, digits: number, note: string): readonly string[] {
  const change = (after / before - 1) * 100;
  const signed = `${change > 0 ? '+' : ''}${formatNumber(change, 1)} %`;
  return [name, formatNumber(before, digits), formatNumber(after, digits), signed, note];
}

function overlap(a: Spread, b: Spread): boolean {
  return a.min <= b.max && b.min <= a.max;
}

try {
  main();
} catch (error) {
  process.stderr.write(`${wordsOf(error)}\n${USAGE}`);
  process.exitCode = 2;
}
