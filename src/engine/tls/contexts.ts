/**
 * Contexts of OpenSSL that are still in use, by what they are made of.
 *
 * Place: one per engine. Who has a context keeps it alive; here it is only found again.
 */
import type { SecureContext } from 'node:tls';

export class Contexts {
  readonly #known = new Map<string, WeakRef<SecureContext>>();
  readonly #gone = new FinalizationRegistry<string>(id => {
    if (this.#known.get(id)?.deref() === undefined) this.#known.delete(id);
  });

  get(id: string, make: () => SecureContext): SecureContext {
    const known = this.#known.get(id)?.deref();
    if (known !== undefined) return known;
    const made = make();
    this.#known.set(id, new WeakRef(made));
    this.#gone.register(made, id);
    return made;
  }
}
