/**
 * What a connection over TLS is made with for one session alone: the PROXY protocol header, which comes before TLS, and
 * the protocol that the session's client has agreed on.
 *
 * Place: the dispatch asks the session for it before each attempt at a backend with TLS.
 * Why spares have none of it: they are made before there is a client, and any session may get them.
 */
import type { OwnConnect } from '../../../pool/index.ts';
import type { UpstreamPlan } from '../../model/upstream-plan.ts';
import { parks } from '../dispatch/backend-pool.ts';
import { prefaceOf, type Client, type Here } from './preface.ts';

/** Undefined: nothing. */
export function ownConnect(
  plan: UpstreamPlan,
  client: Client,
  here: Here,
  id: string,
): OwnConnect | undefined {
  const { tls, sendProxy } = plan;
  if (tls === undefined) return undefined;
  const preface = sendProxy && prefaceOf(sendProxy, client, here, id);
  // All connections of a pool are alike, and what the upstream offers by itself holds for all of them.
  const agreed = tls.alpn.length > 0 || parks(plan) ? undefined : client.tls?.alpn;
  if (preface === undefined && agreed === undefined) return undefined;
  return { ...(preface && { preface }), ...(agreed !== undefined && { alpn: [agreed] }) };
}
