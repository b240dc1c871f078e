/**
 * What lb4 balances → log lines at the start: one per upstream.
 *
 * Place: called by `lb4 run` when it has started: a mistake that ends the start has a line of its own, and none of
 * these appears.
 */
import { formatDuration } from '../support/duration.ts';
import { nameOfSource } from '../config/schema/discovery-schema.ts';
import type { BackendConfig, Config, UpstreamConfig } from '../config/schema/schema.ts';
import { counted } from '../support/counted.ts';
import type { Log } from './log.ts';

/** A message names at most this many, the fields name all. */
const MOST_NAMED = 20;

/** @param source where the configuration comes from, in words: the file, and the options over it */
export function logConfiguration({ upstreams }: Config, source: string, log: Log): void {
  for (const upstream of upstreams) {
    const { name, strategy, backends, discovery = [] } = upstream;
    const check = checkOf(upstream);
    const named = backends.slice(0, MOST_NAMED).map(describe);
    const rest = backends.length - named.length;
    const list = [...named, ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ');
    const sources = discovery.map(nameOfSource);
    const over = [
      ...(backends.length === 0 ? [] : [`${counted(backends.length, 'backend')}: ${list}`]),
      ...(sources.length === 0 ? [] : [`what ${sources.join(', ')} names`]),
    ].join('; and ');
    const message = `upstream ${name}: ${strategy} over ${over}; ${check}; from ${source}`;
    log.write('info', 'upstreamConfigured', message, {
      ...{ upstream: name, strategy, check, source },
      backends: backends.map(describe).join(', '),
      ...(sources.length === 0 ? {} : { sources: sources.join(', ') }),
    });
  }
}

/** Where a configuration comes from, in words. */
export function sourceOf(file: string | undefined, options: readonly string[]): string {
  const over = [...new Set(options)].join(', ');
  if (file === undefined) return over;
  return over === '' ? file : `${file} with ${over}`;
}

function describe({ id, weight, maxSessions, backup }: BackendConfig): string {
  const besides = [
    ...(weight === 1 ? [] : [`weight ${weight}`]),
    ...(maxSessions === undefined ? [] : [`at most ${counted(maxSessions, 'session')}`]),
    ...(backup ? ['backup'] : []),
  ];
  return besides.length === 0 ? id : `${id} (${besides.join(', ')})`;
}

function checkOf({ health, agent }: UpstreamConfig): string {
  const { type, interval, preset, path, method } = health;
  const how = type === 'http' ? `http ${method ?? 'GET'} ${path ?? '/'}` : (preset ?? type);
  const checks = type === 'off' ? 'not checked' : `checked by ${how} every ${formatDuration(interval)}`;
  return agent === undefined ? checks : `${checks}, asks an agent every ${formatDuration(agent.interval)}`;
}
