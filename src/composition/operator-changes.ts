/**
 * What operators have changed at runtime, as a list that a successor can follow.
 *
 * Place: `load-balancer.ts` takes the list from one process, `planes.ts` follows it in the next, before any client is
 * let in.
 */
import type { ControlPlane } from '../control/control-plane.ts';
import { issueOfWeight, parseBackend } from '../config/source/parse.ts';
import { Lb4Error } from '../errors.ts';
import type { InheritedChange } from '../model/inheritance.ts';
import type { UpstreamStatus } from '../model/snapshot.ts';
import { OPERATOR_STATES } from '../model/words.ts';

export function operatorChanges(upstreams: readonly UpstreamStatus[]): InheritedChange[] {
  return upstreams.flatMap(({ name: upstream, overrides, backends }) =>
    overrides.map(override => {
      const change = { upstream, ...override };
      const added = backends.find(({ backend }) => override.what === 'added' && backend === override.backend);
      if (added === undefined) return change;
      const { weight, maxSessions, backup } = added;
      return { ...change, added: { weight, maxSessions, backup } };
    }),
  );
}

type Changeable = Pick<ControlPlane, 'status' | 'add' | 'remove' | 'setWeight' | 'setState'>;

/** Leaves out what this configuration has no place for, and weights that it has changed. */
export function followChanges(control: Changeable, changes: readonly InheritedChange[]): void {
  for (const change of changes) {
    try {
      follow(control, change);
    } catch (error) {
      // The upstream or the backend is not configured any more, or the configuration has by now what was added.
      if (!(error instanceof Lb4Error)) throw error;
    }
  }
}

function follow(
  control: Changeable,
  { upstream, backend, what, configured, now, added }: InheritedChange,
): void {
  switch (what) {
    case 'added': {
      const parsed = parseBackend({ address: backend, ...added });
      if (parsed.ok) control.add(upstream, parsed.backend);
      return;
    }
    case 'removed':
      control.remove(upstream, backend, { resetSessions: false });
      return;
    case 'weight': {
      const isAsBefore = weightOf(control, upstream, backend) === configured;
      const isWeight = typeof now === 'number' && issueOfWeight(now) === undefined;
      if (isAsBefore && isWeight) control.setWeight(upstream, backend, now);
      return;
    }
    case 'state': {
      const state = OPERATOR_STATES.find(each => each === now);
      if (state !== undefined) control.setState(upstream, backend, state);
      return;
    }
  }
}

function weightOf(control: Changeable, upstream: string, backend: string): number | undefined {
  const status = control.status().find(({ name }) => name === upstream);
  return status?.backends.find(each => each.backend === backend)?.weight;
}
