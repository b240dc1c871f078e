/**
 * The gate that reads the first message of a TLS client (ClientHello), and sends the client where its name or its
 * protocols belong (`sni`), or lets it through when the message is whole (`connectWhen: tlsHello`).
 *
 * Place: behind the gates that judge by addresses, because it waits for bytes.
 * Invariants:
 * - It takes nothing: the backend gets the message as it came.
 * - A message that is not as the RFCs describe it is refused: a backend might read another name in it.
 * - Pure: it keeps nothing between two calls.
 */
import { parseClientHello } from '../../codec/tls-client-hello/index.ts';
import type { HelloPlan } from '../../model/hello-plan.ts';
import type { Gate, Verdict } from './gate.ts';
import { SniRoutes } from './sni-routes.ts';

/** Nearly every hello is shorter, so that one look is enough. */
const FIRST_LOOK_BYTES = 2_048;

export function helloGate<U>(plan: HelloPlan, upstreamOf: (name: string) => U): Gate<U> {
  const routes = new SniRoutes(plan.routes, upstreamOf);
  const isStrict = plan.others === 'refuse';
  const pass: Verdict<U> = { kind: 'pass' };
  const noHello: Verdict<U> = { kind: 'refuse', reason: 'noClientHello' };
  const badHello: Verdict<U> = { kind: 'refuse', reason: 'badClientHello' };
  return (facts, { bytes }) => {
    const parsed = parseClientHello(bytes);
    switch (parsed.kind) {
      case 'hello': {
        const { serverName } = parsed.hello;
        const upstream = routes.find(parsed.hello);
        const named = serverName === undefined ? facts : { ...facts, serverName };
        if (upstream !== undefined) return { kind: 'pass', facts: { ...named, upstream } };
        return isStrict
          ? { kind: 'refuse', reason: 'noRoute', facts: named }
          : { kind: 'pass', facts: named };
      }
      case 'incomplete':
        return { kind: 'more', bytes: Math.max(parsed.bytes, FIRST_LOOK_BYTES), withinMs: plan.timeout };
      case 'absent':
        return isStrict || plan.isRequired ? noHello : pass;
      case 'invalid':
        return badHello;
    }
  };
}
