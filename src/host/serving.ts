/**
 * Which workers serve which listeners, and which upstreams their clients may reach.
 *
 * Place: pure; the fleet splits the plans of listeners and divides those of upstreams by it.
 * Where all workers have an engine with TLS there is one group, which serves everything.
 */
import type { ListenerPlan } from '../model/listener-plan.ts';
import type { Plan } from '../model/plan.ts';
import type { UpstreamPlan } from '../model/upstream-plan.ts';

/** What a group serves. `plain`: the listeners without TLS; `tls`: the others. */
export type Serves = 'all' | 'plain' | 'tls';

export function isServed(serves: Serves, { needsTls = false }: ListenerPlan): boolean {
  return serves === 'all' || needsTls === (serves === 'tls');
}

/** Which groups serve an upstream. */
export class Reach {
  readonly #byPlain: ReadonlySet<string>;
  readonly #byTls: ReadonlySet<string>;

  constructor(listeners: readonly ListenerPlan[] = []) {
    const reached = (serves: Serves): ReadonlySet<string> =>
      new Set(listeners.filter(each => isServed(serves, each)).flatMap(upstreamsOf));
    this.#byPlain = reached('plain');
    this.#byTls = reached('tls');
  }

  /** Whether clients of a group may reach it. One that no listener names counts as that of plain ones. */
  has(upstream: string, serves: Serves): boolean {
    if (serves === 'all') return true;
    if (serves === 'tls') return this.#byTls.has(upstream);
    return this.#byPlain.has(upstream) || !this.#byTls.has(upstream);
  }

  /** The upstreams among all plans of which other groups than before have clients. */
  changesOf(before: Reach, plans: Iterable<Plan>): readonly UpstreamPlan[] {
    return Array.from(plans).flatMap(plan => {
      if (plan.kind !== 'upstream') return [];
      const { name } = plan.upstream;
      const isSame = (['plain', 'tls'] as const).every(
        each => this.has(name, each) === before.has(name, each),
      );
      return isSame ? [] : [plan.upstream];
    });
  }
}

function upstreamsOf({ upstream, hello }: ListenerPlan): readonly string[] {
  return [upstream, ...(hello?.routes ?? []).map(route => route.upstream)];
}
