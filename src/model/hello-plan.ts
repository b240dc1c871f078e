/**
 * What a listener does with the first message of TLS clients (ClientHello), as plans have it.
 *
 * Place: a part of `ListenerPlan`; listener-plans.ts makes it, admission/hello-gate.ts acts by it.
 */

/** What becomes of clients that no route has. */
export const OTHERS = ['upstream', 'refuse'] as const;

/** Names and protocols of which a client has to have one each. */
export interface SniRoute {
  /** Host names, `*.` and a name for one label more, `**.` for one or more. Empty: any name, and none. */
  readonly match: readonly string[];
  /** Protocols that clients offer. Empty: any, and none. */
  readonly alpn: readonly string[];
  readonly upstream: string;
}

export interface HelloPlan {
  /** How long the message may take to arrive, in milliseconds. */
  readonly timeout: number;
  readonly routes: readonly SniRoute[];
  /** Also of clients that speak no TLS. */
  readonly others: (typeof OTHERS)[number];
  /** Clients that speak no TLS are refused, whatever `others` says (`connectWhen: tlsHello`). */
  readonly isRequired: boolean;
}

/** Of routes as they are configured. */
export function sniRoutes(
  routes: readonly {
    readonly match?: readonly string[] | undefined;
    readonly alpn?: readonly string[] | undefined;
    readonly upstream: string;
  }[],
): readonly SniRoute[] {
  return routes.map(({ match = [], alpn = [], upstream }) => ({ match, alpn, upstream }));
}
