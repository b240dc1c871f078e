/**
 * The outcome of a reload → log lines: what has changed, or why nothing has, in one line each.
 *
 * Place: called by `lb4 run` after each reload. What listeners and backends make of it has lines of its own.
 */
import type { ReloadProblem, ReloadReport, ReloadTrigger } from '../model/reload-report.ts';
import { counted } from '../support/counted.ts';
import type { Log } from './log.ts';

/** A message names at most this many. */
const MOST_NAMED = 20;
const MOST_PROBLEMS = 5;

const TRIGGERS: Readonly<Record<ReloadTrigger, string>> = {
  signal: 'SIGHUP',
  watch: 'a file has changed',
  api: 'admin API',
};

export function logReload(report: ReloadReport, log: Log): void {
  const { file = '', trigger } = report;
  const by = TRIGGERS[trigger];
  if (report.ok) {
    for (const { text } of report.warnings) log.write('warn', 'configWarning', text);
    const { changes } = report;
    const what =
      changes.length === 0
        ? 'nothing has changed'
        : list(
            changes.map(({ text }) => text),
            MOST_NAMED,
          );
    log.write('info', 'reloaded', `configuration reloaded from ${file} (${by}): ${what}`, {
      ...{ trigger, file, changes: changes.length },
    });
    return;
  }
  const { problems, reason } = report;
  const fields = { trigger, file, reason, problems: problems.length };
  if (reason === 'refused') {
    log.write('warn', 'reloadRefused', `reload refused (${by}): ${words(problems)}`, fields);
    return;
  }
  const many = problems.length === 1 ? '' : ` (${counted(problems.length, 'problem')})`;
  const message = `reload of ${file} failed (${by}), the configuration is as before${many}: ${words(problems)}`;
  log.write('error', 'reloadFailed', message, fields);
}

function words(problems: readonly ReloadProblem[]): string {
  return list(
    problems.map(({ text }) => text),
    MOST_PROBLEMS,
  );
}

function list(texts: readonly string[], most: number): string {
  const rest = texts.length - most;
  return [...texts.slice(0, most), ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}
