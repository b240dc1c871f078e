/**
 * ApacheBench without -k as the source of new connections: the tool that people measure balancers with.
 *
 * Percentiles come from its CSV file, which has microseconds; its printed table rounds to milliseconds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Children } from '../processes/children.ts';
import type { ConnectLoad, ConnectResult } from './connect-client.ts';

/** A run that takes longer has hung; ab is ended and the sample fails. No balancer is slower than 500 a second. */
const limitMs = (requests: number): number => 60_000 + requests * 2;

/** The version of the installed ab, or undefined if there is none. */
export async function abVersion(children: Children): Promise<string | undefined> {
  try {
    const { stdout } = await (await children.start(['ab', '-V'])).ended;
    return /ApacheBench, Version \S+/.exec(stdout)?.[0];
  } catch {
    return undefined;
  }
}

/** Runs ab to its end; rejects when it gives up or hangs. */
export async function runAb(load: ConnectLoad, children: Children): Promise<ConnectResult> {
  const csv = join(children.temporaryFolder(), 'percentiles.csv');
  const child = await children.start([
    ...['ab', '-q', '-r', '-e', csv],
    ...['-n', String(load.requests), '-c', String(load.concurrency)],
    `http://127.0.0.1:${String(load.port)}/`,
  ]);
  const timer = setTimeout(() => void child.stop(), limitMs(load.requests));
  const { code, stdout, stderr } = await child.ended;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`ab ended with ${String(code)}: ${stderr.trim()}`);

  const complete = numberAfter(stdout, 'Complete requests');
  // ab counts a request under several kinds of failure; the total is never below the number of bad requests.
  const failed = numberAfter(stdout, 'Failed requests');
  const notOk = stdout.includes('Non-2xx responses') ? numberAfter(stdout, 'Non-2xx responses') : 0;
  const percentiles = readFileSync(csv, 'utf8');
  return {
    seconds: numberAfter(stdout, 'Time taken for tests'),
    p50Ms: percentileIn(percentiles, 50),
    p99Ms: percentileIn(percentiles, 99),
    errors: load.requests - complete + failed + notOk,
  };
}

function numberAfter(report: string, label: string): number {
  const value = new RegExp(`^${label}:\\s+([\\d.]+)`, 'm').exec(report)?.[1];
  if (value === undefined) throw new Error(`ab printed no "${label}"`);
  return Number(value);
}

function percentileIn(csv: string, percent: number): number {
  return Number(new RegExp(`^${String(percent)},([\\d.]+)$`, 'm').exec(csv)?.[1] ?? NaN);
}
