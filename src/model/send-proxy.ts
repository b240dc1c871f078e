/**
 * What a PROXY protocol header to a backend says.
 *
 * Place: configured per upstream, part of its plan; the session writes the header.
 */

/** What a header of version 2 may have beyond addresses. */
export const FORWARDED_TLVS = ['uniqueId', 'authority', 'alpn', 'ssl', 'netns', 'others', 'crc32c'] as const;

export type ForwardedTlv = (typeof FORWARDED_TLVS)[number];

export interface SendProxy {
  readonly version: 'v1' | 'v2';
  /** In this order, each at most once; version 1 has none. */
  readonly tlvs: readonly ForwardedTlv[];
}
