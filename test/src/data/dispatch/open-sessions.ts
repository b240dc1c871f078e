/** Dispatches over a fake upstream whose connects the test answers, and what each reports, in words. */
import { Dispatch } from '../../../../src/data/dispatch/dispatcher.ts';
import { dispatcherDeps } from '../../../harness/dispatch-deps.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';
import { createFakeUpstream, type BackendSpec } from '../../../harness/fake-upstream.ts';

export const id = (number: number): string => `10.0.0.${number}:80`;
/** In panic: it gets sessions although it is not well. */
export const DOWN = { well: false };
/** A backup that stands by. */
export const BACKUP = { eligible: false, reserve: true, well: true };
export const NO_BUDGET = { retryBudget: { percent: 0, minPerSecond: 0 } };

export function openSessions(
  backends: Record<string, BackendSpec>,
  options: Parameters<typeof createFakeUpstream>[1] = {},
) {
  const fake = createFakeUpstream(backends, options);
  const timers = new FakeTimers();
  const open = () => {
    const log: string[] = [];
    const dispatch = new Dispatch(fake.upstream, '192.0.2.1', dispatcherDeps({ setTimer: timers.setTimer }), {
      onConnected: () => log.push(`connected ${dispatch.backend ?? ''}`),
      onUnavailable: ({ reason }) => log.push(reason),
      onWaiting: isWaiting => log.push(isWaiting ? 'waits' : 'goes on'),
    });
    dispatch.start();
    return { dispatch, log };
  };
  const tried = (): string[] => fake.engine.connects.map(({ address }) => address);
  const fails = (...backends: string[]): void => {
    fake.engine.autoConnect = address => (backends.includes(address) ? 'refused' : true);
  };
  return { ...fake, timers, open, tried, fails };
}
