/**
 * The result of a probe whose time is up.
 *
 * Place: used by every kind of probe that waits for an answer.
 */
import { formatDuration } from '../../support/duration.ts';
import { failed, type ProbeResult } from './probe.ts';
import { quoted } from './reason-text.ts';

/** `soFar`: the bytes that had come by then, as latin1 text; quoted when it is not empty. */
export function noAnswer(timeoutMs: number, soFar = ''): ProbeResult {
  const within = `within ${formatDuration(timeoutMs)}`;
  return failed(soFar === '' ? `no answer ${within}` : `no more than ${quoted(soFar)} ${within}`);
}
