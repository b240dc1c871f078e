/**
 * What the checks of a configuration know of the machine: which addresses are its own, and which a name stands for.
 *
 * Place: load.ts passes it to warnings.ts; tests pass one of their own. No name server is asked.
 */
import { LocalNames } from '../../names/local-names.ts';
import { ownInterfaces } from '../../support/interfaces.ts';
import { splitZone } from '../../support/zone.ts';

export interface Machine {
  /** Does one of its interfaces have this IP address, given without a zone? */
  isOwn(address: string): boolean;
  /** The addresses of a name; none where only a name server may know it. */
  addressesOf(name: string): readonly string[];
}

/** The machine as it is now. */
export function thisMachine(): Machine {
  const names = new LocalNames();
  const own = new Set(
    Object.values(ownInterfaces()).flatMap((addresses = []) =>
      addresses.map(({ address }) => splitZone(address)[0]),
    ),
  );
  return {
    isOwn: address => own.has(address) || address.startsWith('127.') || address === '::1',
    addressesOf: name => names.addressesOf(name) ?? [],
  };
}
