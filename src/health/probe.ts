/**
 * One check of one backend, whatever its kind: it passes, fails with a reason for people, or could not be made
 * at all (this machine had no descriptor or port left), which says nothing about the backend.
 *
 * Place: made by a health checker's schedule; `tcp-probe.ts` is the only kind so far.
 */
import type { Cancel } from '../engine/engine.ts';
import type { Address } from '../support/address.ts';

export type ProbeResult =
  | { readonly verdict: 'passed' }
  | { readonly verdict: 'failed'; readonly reason: string }
  | { readonly verdict: 'none' };

/** Starts a probe; calls `done` exactly once unless cancelled. Bounded in time by the probe itself. */
export type Probe = (address: Address, done: (result: ProbeResult) => void) => Cancel;
