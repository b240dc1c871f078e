/**
 * When a session has been silent for too long: a receiver that still takes what was sent to it is not silent, and only a
 * look shows that, one per quarter of the timeout.
 *
 * Place: the session asks when its deadline comes. A session whose receiver takes nothing is ended at most a quarter of
 * its timeout late.
 */
import type { Relay } from '../../engine/engine.ts';
import type { Timeouts } from '../../model/listener-plan.ts';

const LOOKS_PER_SILENCE = 4;

/** @param timeoutMs 0: silence never ends a session */
export function firstLook(relay: Relay, timeoutMs: number): number {
  return after(relay.lastActivityMs, timeoutMs / LOOKS_PER_SILENCE);
}

/** When to look again; undefined: it has been silent for too long. */
export function whenToLook(relay: Relay, timeoutMs: number, nowMs: number): number | undefined {
  const firstLookMs = firstLook(relay, timeoutMs);
  if (firstLookMs > nowMs) return firstLookMs;
  const onItsWay = relay.lookAtDelivery();
  const silentUntilMs = relay.lastActivityMs + timeoutMs;
  const nextLookMs = nowMs + timeoutMs / LOOKS_PER_SILENCE;
  if (onItsWay === 'unknown') return nextLookMs;
  if (silentUntilMs <= nowMs) return undefined;
  return onItsWay === 'nothing' ? silentUntilMs : nextLookMs;
}

/** Of one session, in whole milliseconds. */
export function lifetimeOf({ lifetime, lifetimeJitter }: Timeouts, chance: { random(): number }): number {
  if (lifetime === 0 || lifetimeJitter === 0) return lifetime;
  return Math.round(lifetime * (1 + (lifetimeJitter / 100) * chance.random()));
}

/** A timeout of 0 never ends. */
export function after(startMs: number, timeoutMs: number): number {
  return timeoutMs === 0 ? Infinity : startMs + timeoutMs;
}
