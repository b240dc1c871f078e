/** What a dispatch or a session needs besides its upstream, for tests in which nothing of it matters unless given. */
import type { DispatcherDeps } from '../../src/data/dispatch/dispatch-owner.ts';
import type { RelayOutcome } from '../../src/engine/engine.ts';
import { FakeConnection } from './fake-engine.ts';
import { FakeTimers } from './fake-timers.ts';

export function dispatcherDeps(given: Partial<DispatcherDeps> = {}): DispatcherDeps {
  return {
    now: () => 0,
    random: () => 0,
    setTimer: new FakeTimers().setTimer,
    report: () => undefined,
    ...given,
  };
}

/** How a relay has ended; `clean`: the backend's connection may serve another session. */
export function relayEnd(clean: boolean, given: Partial<RelayOutcome> = {}): RelayOutcome {
  return {
    by: 'client',
    reason: 'closed',
    bytesFromClient: 1,
    bytesFromBackend: 1,
    ...(clean ? { cleanBackend: new FakeConnection() } : {}),
    ...given,
  };
}
