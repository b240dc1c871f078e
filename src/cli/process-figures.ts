/**
 * Figures of this process, gathered when they are asked for.
 *
 * Place: `run` hands them to the admin API for `/metrics`.
 */
import { readdirSync, statSync } from 'node:fs';
import type { ProcessFigures } from '../model/process-figures.ts';
import { readSmallFile } from '../support/small-file.ts';
import { processLimit } from '../support/process-limits.ts';
import type { Reloader } from './reloader.ts';
import type { RunLogs } from './run-logs.ts';
import { sourcePortCount } from './source-ports.ts';

const MICROSECONDS = 1e-6;

export function processFigures(
  { counts, last }: Pick<Reloader, 'counts' | 'last'>,
  logs: Pick<RunLogs, 'figures' | 'lost'>,
): ProcessFigures {
  const lost = logs.lost();
  const { log, access = log } = logs.figures();
  const { user, system } = process.cpuUsage();
  return {
    startedAtMs: Math.round(Date.now() - process.uptime() * 1000),
    cpuSeconds: (user + system) * MICROSECONDS,
    residentBytes: process.memoryUsage.rss(),
    openDescriptors: openDescriptors(),
    descriptorLimit: processLimit('descriptors'),
    sourcePorts: sourcePortCount(readSmallFile),
    logs: [
      { log: 'log', linesLost: lost.log, isBroken: log.brokenAs !== undefined },
      { log: 'access', linesLost: lost.access, isBroken: access.brokenAs !== undefined },
    ],
    reloads: { ...counts, last: last && { atMs: Date.parse(last.at), ok: last.ok } },
  };
}

/** The status is asked for every second, and a list of 20,000 descriptors takes some 10 ms. */
const LIST_MS = 10_000;
let listed = { atMs: -Infinity, count: 0 };

/** Since Linux 6.2 the size of the folder is their number; before that they are listed, once in `LIST_MS`. */
function openDescriptors(): number | undefined {
  try {
    const { size } = statSync('/proc/self/fd');
    if (size > 0) return size;
    const nowMs = performance.now();
    if (nowMs - listed.atMs >= LIST_MS) listed = { atMs: nowMs, count: readdirSync('/proc/self/fd').length };
    return listed.count;
  } catch {
    return undefined;
  }
}
