/**
 * The codec of the PROXY protocol, usable by itself: `lb4-balancer/proxy-protocol`.
 */
export { encodeProxyHeader, encodeSslTlv, type ProxyHeaderInput } from './encode.ts';
export {
  SSL_CLIENT,
  SSL_TLV,
  TLV,
  tlvOf,
  V1_MAX_BYTES,
  V2_MAX_BYTES,
  type IpAddresses,
  type ProxyEndpoint,
  type ProxyHeader,
  type ProxyProblem,
  type ProxyTlv,
  type SslTlv,
  type UnixAddresses,
} from './header.ts';
export { parseProxyHeader, type ParsedProxyHeader } from './parse.ts';
export { parseSslTlv } from './parse-v2.ts';
