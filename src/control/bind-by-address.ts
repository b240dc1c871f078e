/**
 * A configuration whose listeners have addresses instead of names.
 *
 * Place: at the start, before anything binds. A name becomes its first address: where lb4 listens must be known, and
 * must not depend on what else a name server answers.
 */
import { Lb4Error, wordsOf } from '../errors.ts';
import type { Lookup } from '../names/names.ts';
import { formatAddress, type ListenAddress } from '../support/address.ts';

interface Listening {
  readonly listeners: readonly { readonly bind: readonly ListenAddress[] }[];
}

/** Rejects with LB4_LISTEN_FAILED when a name cannot be resolved. */
export async function bindByAddress<C extends Listening>(config: C, lookup: Lookup): Promise<C> {
  const listeners = config.listeners.map(async listener => ({
    ...listener,
    bind: await Promise.all(listener.bind.map(address => numeric(address, lookup))),
  }));
  return { ...config, listeners: await Promise.all(listeners) };
}

async function numeric(address: ListenAddress, lookup: Lookup): Promise<ListenAddress> {
  if (address.kind === 'unix' || address.host === '') return address;
  try {
    const [host = address.host] = (await lookup(address.host)).addresses;
    return { ...address, host };
  } catch (error) {
    const why = wordsOf(error);
    throw new Lb4Error('LB4_LISTEN_FAILED', `cannot listen on ${formatAddress(address)}: ${why}`, {
      cause: error,
    });
  }
}
