/** lb4's own choices on this machine, and the Redis that it shares counts through. */
import { threadsTextOf } from '../threads-text.ts';
import { fail, ok, warn, type Finding, type Judged } from './finding.ts';

const KOFFI = 'npm install koffi beside lb4 (an optional dependency), on Linux with x64 or arm64';
/** Counts are exchanged every 250 ms unless configured otherwise. */
const SLOW_REDIS_MS = 50;

export function engine({ outlook }: Judged): Finding[] {
  const check = 'engine';
  if (outlook === undefined) return [];
  if (!outlook.ok) return [fail(check, outlook.reason, `engine: auto, or ${KOFFI}`)];
  const { engine: name, workers, workersForTls, reason, coreLimit, ffi } = outlook.engine;
  const over = ffi === undefined ? '' : ` over ${ffi}`;
  const figure = `${name}${over}, ${workers === 0 ? 'in the main thread' : threadsTextOf(workers, workersForTls)}`;
  if (reason !== undefined) return [warn(check, `${figure}: ${reason}`, KOFFI)];
  return [ok(check, coreLimit === undefined ? figure : `${figure} (${coreLimit})`)];
}

export function redis({ redis: outlook }: Judged): Finding[] {
  const check = 'redis';
  if (outlook === undefined) return [];
  if (!outlook.ok)
    return [
      fail(
        check,
        `${outlook.reason}; each instance counts by itself`,
        'see docs/many-instances.md for what lb4 needs of it',
      ),
    ];
  const { latencyMs, version } = outlook;
  const figure = `${version === undefined ? 'its version cannot be read' : `Redis ${version}`}, an answer takes ${latencyMs < 10 ? latencyMs.toFixed(1) : Math.round(latencyMs)} ms`;
  if (latencyMs > SLOW_REDIS_MS)
    return [
      warn(
        check,
        `${figure}: counts of other instances are late by as much`,
        'a Redis that is nearer, or less busy',
      ),
    ];
  return [ok(check, figure)];
}
