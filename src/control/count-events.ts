/**
 * Counts what control and the data planes report as events, beside what data planes count by themselves.
 *
 * Place: a subscriber of the instance's own events, made with the planes. It writes control's row of the counters.
 */
import type { Events } from '../model/events.ts';
import {
  BACKEND,
  INSTANCE,
  LISTENER,
  PAUSE_REASONS,
  UPSTREAM,
  type Counter,
} from '../shared-memory/counters/layout.ts';
import type { ControlledState } from '../shared-memory/shared-state.ts';

export function countEvents(events: Events, shared: ControlledState): void {
  const count = (slot: number | undefined, counter: Counter, by = 1, series = 0): void => {
    if (slot !== undefined) shared.controlled.cells(slot).add(counter, series, by);
  };
  const instance = shared.slotOfInstance();
  const backend = (event: { readonly upstream: string; readonly backend: string }, counter: Counter): void =>
    count(shared.findBackend(event.upstream, event.backend), counter);
  events.on('backend:ejected', event => backend(event, BACKEND.ejections));
  events.on('backend:down', event => backend(event, BACKEND.downs));
  events.on('backend:checkFailed', event => backend(event, BACKEND.checkFailures));
  events.on('upstream:panic', ({ upstream }) => count(shared.findUpstream(upstream), UPSTREAM.panics));
  events.on('strategy:failed', ({ upstream, times }) =>
    count(shared.findUpstream(upstream), UPSTREAM.strategyFailures, times),
  );
  events.on('listener:paused', ({ listener, reason }) =>
    count(shared.findListener(listener), LISTENER.pauses, 1, PAUSE_REASONS.indexOf(reason)),
  );
  events.on('listener:turnedAway', ({ listener, times }) =>
    count(shared.findListener(listener), LISTENER.turnedAway, times),
  );
  events.on('worker:exited', () => count(instance, INSTANCE.workerDeaths));
  events.on('worker:stalled', () => count(instance, INSTANCE.workerStalls));
}
