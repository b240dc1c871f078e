/**
 * `node dist/bench/table.js FILE [--details]`: a result as Markdown, for the README and docs/performance.md.
 */
import { parseArgs } from 'node:util';
import { wordsOf } from '../src/errors.ts';
import { renderDetails, renderSummary } from './report.ts';
import { readResult } from './result-file.ts';

const USAGE = 'usage: node dist/bench/table.js FILE [--details]\n';

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { details: { type: 'boolean', default: false } },
  });
  const [file] = positionals;
  if (file === undefined || positionals.length > 1) throw new Error('expected one FILE');
  const result = readResult(file);
  process.stdout.write(`${values.details ? renderDetails(result) : renderSummary(result)}\n`);
}

try {
  main();
} catch (error) {
  process.stderr.write(`${wordsOf(error)}\n${USAGE}`);
  process.exitCode = 2;
}
