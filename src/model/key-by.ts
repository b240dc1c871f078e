/**
 * What identifies a client (`hashBy`, `sticky.by`), as plans have it; absent: its address.
 *
 * Place: a part of upstreams' plans; config/key-by.ts reads it, dispatch/client-keys.ts makes keys by it.
 */
export type KeyBy =
  /** The networks that clients are in: leading bits of their addresses. */
  | { readonly by: 'clientPrefix'; readonly v4: number; readonly v6: number }
  /** What a proxy in front has said of the client: the type of the TLV in its header. */
  | { readonly by: 'proxyTlv'; readonly type: number }
  /** The host that a TLS client wants to reach. */
  | { readonly by: 'sni' };
