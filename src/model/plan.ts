/**
 * All plans that a data plane takes: it begins empty, and nothing but plans changes it.
 *
 * Place: control and load-balancer.ts make the plans. The host hands them to each data plane and keeps the last of each
 * kind and name, for a worker that is started again.
 */
import type { ListenersPlan } from './listener-plan.ts';
import type { UpstreamPlan } from './upstream-plan.ts';

export type Plan =
  | { readonly kind: 'upstream'; readonly upstream: UpstreamPlan }
  /** No listener names it any more, and its plan before this one had no backends. */
  | { readonly kind: 'upstreamGone'; readonly name: string }
  /** Upstreams whose plans change together with the listeners: no client ever meets one without the other. */
  | {
      readonly kind: 'listeners';
      readonly listeners: ListenersPlan;
      readonly upstreams: readonly UpstreamPlan[];
    };

/** The last plan of each kind and name: these bring a new data plane to the state of the others. */
export class Plans {
  readonly #upstreams = new Map<string, Plan>();
  #listeners: Plan | undefined;

  keep(plan: Plan): void {
    if (plan.kind === 'upstreamGone') this.#upstreams.delete(plan.name);
    else if (plan.kind === 'upstream') this.#upstreams.set(plan.upstream.name, plan);
    else {
      for (const upstream of plan.upstreams) this.keep({ kind: 'upstream', upstream });
      this.#listeners = { ...plan, upstreams: [] };
    }
  }

  get listeners(): ListenersPlan | undefined {
    return this.#listeners?.kind === 'listeners' ? this.#listeners.listeners : undefined;
  }

  /** In the order in which a new data plane must get them: upstreams before the listeners that name them. */
  *all(): Iterable<Plan> {
    yield* this.#upstreams.values();
    if (this.#listeners !== undefined) yield this.#listeners;
  }
}
