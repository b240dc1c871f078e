/**
 * Figures of this process, gathered when they are asked for.
 *
 * Place: `run` hands them to the admin API for `/metrics`.
 */
import { readdirSync, statSync } from 'node:fs';
import type { ProcessFigures } from '../model/process-figures.ts';
import { processLimit } from '../support/process-limits.ts';
import type { Reloader } from './reloader.ts';

const MICROSECONDS = 1e-6;

export function processFigures({ counts, last }: Pick<Reloader, 'counts' | 'last'>): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    startedAtMs: Math.round(Date.now() - process.uptime() * 1000),
    cpuSeconds: (user + system) * MICROSECONDS,
    residentBytes: process.memoryUsage.rss(),
    openDescriptors: openDescriptors(),
    descriptorLimit: processLimit('descriptors'),
    reloads: { ...counts, last: last && { atMs: Date.parse(last.at), ok: last.ok } },
  };
}

/** Since Linux 6.2 the size of the folder is their number; a list of 20,000 takes some 10 ms. */
function openDescriptors(): number | undefined {
  try {
    const { size } = statSync('/proc/self/fd');
    return size > 0 ? size : readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}
