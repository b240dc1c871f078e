/**
 * Where a TLS client goes: by the name of the host that it wants to reach, and the protocols that it offers.
 *
 * Place: a part of hello-gate.ts, made anew with each plan.
 * Order: routes with protocols come first, in the order of the configuration; in each step the most specific name
 * decides: the exact one, then the longest wildcard, at the same length that for one label, last routes for any name.
 * Cost: a look-up in a map for each label of the name, however many routes there are.
 */
import type { ClientHello } from '../../codec/tls-client-hello/index.ts';
import type { SniRoute } from '../../model/hello-plan.ts';

const ONE_LABEL = '*.';
const LABELS = '**.';

/** Routes of one protocol, or of those for any. */
class Names<U> {
  readonly #exact = new Map<string, U>();
  /** By what follows the wildcard. */
  readonly #oneLabel = new Map<string, U>();
  readonly #labels = new Map<string, U>();
  #any: U | undefined;

  /** Of two routes for the same the first one holds; the configuration has one. */
  add(match: readonly string[], target: U): void {
    if (match.length === 0) this.#any ??= target;
    for (const name of match) {
      if (name.startsWith(LABELS)) put(this.#labels, name.slice(LABELS.length), target);
      else if (name.startsWith(ONE_LABEL)) put(this.#oneLabel, name.slice(ONE_LABEL.length), target);
      else put(this.#exact, name, target);
    }
  }

  find(name: string | undefined): U | undefined {
    if (name === undefined) return this.#any;
    return this.#exact.get(name) ?? this.#byWildcard(name) ?? this.#any;
  }

  #byWildcard(name: string): U | undefined {
    const dot = name.indexOf('.');
    if (dot === -1) return undefined;
    const found = this.#oneLabel.get(name.slice(dot + 1));
    if (found !== undefined || this.#labels.size === 0) return found;
    for (let at = dot; at !== -1; at = name.indexOf('.', at + 1)) {
      const target = this.#labels.get(name.slice(at + 1));
      if (target !== undefined) return target;
    }
    return undefined;
  }
}

export class SniRoutes<U> {
  readonly #byProtocol = new Map<string, Names<U>>();
  readonly #others = new Names<U>();

  constructor(routes: readonly SniRoute[], upstreamOf: (name: string) => U) {
    for (const { match, alpn, upstream } of routes) {
      const target = upstreamOf(upstream);
      if (alpn.length === 0) this.#others.add(match, target);
      for (const protocol of alpn) {
        const names = this.#byProtocol.get(protocol) ?? new Names<U>();
        this.#byProtocol.set(protocol, names);
        names.add(match, target);
      }
    }
  }

  /** Undefined: no route has the client. */
  find({ serverName, alpn }: ClientHello): U | undefined {
    if (this.#byProtocol.size > 0 && alpn.length > 0) {
      const offered = new Set(alpn);
      for (const [protocol, names] of this.#byProtocol) {
        const found = offered.has(protocol) ? names.find(serverName) : undefined;
        if (found !== undefined) return found;
      }
    }
    return this.#others.find(serverName);
  }
}

function put<U>(map: Map<string, U>, key: string, target: U): void {
  if (!map.has(key)) map.set(key, target);
}
