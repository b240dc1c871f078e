/** What `lb4 doctor` found, as text of a given width. The verdict is a word and a shape; there is no colour. */
import { printable } from '../../support/printable.ts';
import { wrapped } from '../wrapped.ts';
import type { Finding, Verdict } from './finding.ts';

const SHAPES: Readonly<Record<Verdict, string>> = {
  ok: '✓ ok     ',
  warn: '! warn   ',
  fail: '✗ FAIL   ',
  unknown: '? unknown',
};
const GAP = '  ';

export function reportText(title: string, findings: readonly Finding[], width: number): string {
  const named = findings.map(each => printable(each.check));
  const checkWidth = Math.max(...named.map(name => name.length), 0);
  const left = SHAPES.ok.length + checkWidth + 2 * GAP.length;
  const lines = findings.flatMap(({ verdict, found, advice }, i) => {
    const [first = '', ...rest] = wrapped(printable(found), Math.max(width - left, 24));
    const change = advice === undefined ? [] : wrapped(`→ ${printable(advice)}`, Math.max(width - left, 24));
    return [
      `${SHAPES[verdict]}${GAP}${(named[i] ?? '').padEnd(checkWidth)}${GAP}${first}`,
      ...[...rest, ...change].map(line => `${' '.repeat(left)}${line}`),
    ];
  });
  return [printable(title), '', ...lines, '', summary(findings), ''].join('\n');
}

export function summary(findings: readonly Finding[]): string {
  const count = (verdict: Verdict): number => findings.filter(each => each.verdict === verdict).length;
  return `${count('fail')} fail, ${count('warn')} warn, ${count('ok')} ok, ${count('unknown')} unknown`;
}
