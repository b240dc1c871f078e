/**
 * What the checks of a configuration know of the machine: which addresses and interfaces are its own, and which
 * addresses a name stands for.
 *
 * Place: load.ts passes it to warnings.ts; tests pass one of their own. No name server is asked.
 */
import { LocalNames } from '../../names/local-names.ts';
import { ownInterfaces } from '../../support/interfaces.ts';
import { readSmallFile } from '../../support/small-file.ts';
import { splitZone } from '../../support/zone.ts';

export interface Machine {
  /** Does one of its interfaces have this IP address, given without a zone? */
  isOwn(address: string): boolean;
  /** True also where the system does not say. */
  hasInterface(name: string): boolean;
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
    hasInterface,
    addressesOf: name => names.addressesOf(name) ?? [],
  };
}

/** Also interfaces that are down or have no address, which Node does not list. */
function hasInterface(name: string): boolean {
  try {
    const lines = readSmallFile('/proc/net/dev').split('\n').slice(2);
    return lines.some(line => line.slice(0, line.lastIndexOf(':')).trim() === name);
  } catch {
    return true;
  }
}
