/**
 * One check of one backend, whatever its kind. It passes, fails with a reason for people, or could not be made at all
 * (this machine had no descriptor or port left), which says nothing about the backend.
 *
 * Place: made by a health checker's schedule; create-probe.ts makes the kind that the configuration asks for.
 * Invariant: a reason is one short line without control characters, whatever a backend has sent.
 */
import type { Cancel } from '../../engine/engine.ts';
import type { AddressWalk } from '../../engine/address-walk.ts';
import { oneLine } from './reason-text.ts';

export type ProbeResult =
  | { readonly verdict: 'passed' }
  | { readonly verdict: 'failed'; readonly reason: string }
  | { readonly verdict: 'none' };

export interface ProbeTarget {
  /** Where the probe connects: at least one numeric address or a unix socket. Probes of one backend share it. */
  readonly addresses: AddressWalk;
  /** The backend's configured address; a probe uses its host as name (Host header, SNI). */
  readonly backend: string;
}

/** Starts a probe; calls `done` exactly once unless cancelled. Bounded in time by the probe itself. */
export type Probe = (target: ProbeTarget, done: (result: ProbeResult) => void) => Cancel;

export const PASSED: ProbeResult = { verdict: 'passed' };
export const NOT_MADE: ProbeResult = { verdict: 'none' };

/** A failure with its reason, made fit for a log line. */
export function failed(reason: string): ProbeResult {
  return { verdict: 'failed', reason: oneLine(reason) };
}
