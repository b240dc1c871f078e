/**
 * What a session asks of its relay: whether the backend's connection may serve another session after it.
 *
 * Place: the session asks for one of three constant values, so that none is made per session, unless each has a header
 * of its own.
 */
import type { RelayOptions } from '../../engine/engine.ts';
import type { Origin } from '../dispatch/backend-pool.ts';

const NO_REUSE: RelayOptions = Object.freeze({});
const REUSE: RelayOptions = Object.freeze({ reuse: true });
const REUSED: RelayOptions = Object.freeze({ reuse: true, reused: true });

/**
 * @param reuse whether the upstream wants it (`pool.reuse`)
 * @param preface what the backend gets first
 */
export function relayOptions(
  origin: Origin | undefined,
  reuse: boolean,
  preface: Uint8Array | undefined,
): RelayOptions {
  if (preface !== undefined) return { preface };
  if (origin === 'reused') return REUSED;
  return reuse ? REUSE : NO_REUSE;
}
