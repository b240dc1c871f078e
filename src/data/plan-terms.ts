/**
 * What is made of the TLS settings of a listener or an upstream, with an engine's terms.
 *
 * Place: a front and an upstream's runtime side have one each.
 * Why: plans come with each change of a backend's health, and only few of them have other settings. Settings that came
 * from another thread are never the same object.
 * Invariant: equal settings have the same terms; sessions that have begun keep those that they began with.
 */
import { isDeepStrictEqual } from 'node:util';

export class PlanTerms<S extends object, T> {
  readonly #make: (settings: S) => T | undefined;
  #settings: S | undefined;
  #terms: T | undefined;

  /** @param make throws for settings that cannot be used: then the terms before stay; undefined: the engine has no TLS */
  constructor(make: (settings: S) => T | undefined) {
    this.#make = make;
  }

  /** Of the plan applied last; undefined: without TLS. */
  get current(): T | undefined {
    return this.#terms;
  }

  /** Takes over what a plan says; true: the terms are others now. */
  follow(settings: S | undefined): boolean {
    if (isDeepStrictEqual(settings, this.#settings)) return false;
    this.#terms = settings === undefined ? undefined : this.#make(settings);
    this.#settings = settings;
    return true;
  }
}
