/**
 * Host names as TLS and DNS carry them: one spelling for each.
 */
import { isIPv4 } from 'node:net';

/** RFC 1035 2.3.4, without the dot at the end. */
const HOST_NAME_MAX_LENGTH = 253;
/** An underscore stands in no name of a host by RFC 952, but in some that are in use. */
const LABELS = /^[\w-]{1,63}(?:\.[\w-]{1,63})*$/;

/**
 * In small letters and without a dot at the end. Undefined: it is none, such as an address, or a name that is not in
 * ASCII (its A-labels, `xn--…`, are).
 */
export function hostNameOf(text: string): string | undefined {
  const name = text.endsWith('.') ? text.slice(0, -1) : text;
  if (name.length > HOST_NAME_MAX_LENGTH || !LABELS.test(name) || isIPv4(name)) return undefined;
  return name.toLowerCase();
}
