/**
 * `hashBy` and `sticky.by`: the words for what identifies a client, and what they mean.
 *
 * Place: the schema checks them, control puts them into plans.
 */
import type { KeyBy } from '../model/key-by.ts';

/** Networks that one household or site usually has. */
const DEFAULT_BITS = { v4: 24, v6: 64 };
const MOST_BITS = { v4: 32, v6: 128 };
const MOST_TYPE = 255;

export const KEY_BY_FORM =
  'client, clientPrefix, clientPrefix:V4/V6 such as clientPrefix:24/64, sni, or proxyTlv:N such as proxyTlv:5 or proxyTlv:0xE0';

/** 'client': by the address. Undefined: the text means nothing. */
export function parseKeyBy(text: string): KeyBy | 'client' | undefined {
  if (text === 'client' || text === 'clientIp') return 'client';
  if (text === 'sni') return { by: 'sni' };
  if (text === 'clientPrefix') return { by: 'clientPrefix', ...DEFAULT_BITS };
  const prefix = /^clientPrefix:(\d{1,2})\/(\d{1,3})$/.exec(text);
  if (prefix !== null) {
    const [v4, v6] = [Number(prefix[1]), Number(prefix[2])];
    const isValid = v4 > 0 && v6 > 0 && v4 <= MOST_BITS.v4 && v6 <= MOST_BITS.v6;
    return isValid ? { by: 'clientPrefix', v4, v6 } : undefined;
  }
  const type = Number(/^proxyTlv:(\d{1,3}|0x[0-9a-f]{1,2})$/i.exec(text)?.[1] ?? NaN);
  return type > 0 && type <= MOST_TYPE ? { by: 'proxyTlv', type } : undefined;
}

/** Of a value that the schema has checked. */
export function keyByOf(text: string | undefined): KeyBy | undefined {
  const parsed = parseKeyBy(text ?? 'client');
  return parsed === 'client' ? undefined : parsed;
}
