/**
 * What every engine needs when it binds: how long the queue is, and why a bind failed, in plain words.
 *
 * Place: shared by the engines, so that a listener fails in the same words on each of them.
 */
import { Lb4Error, systemCode, wordsOf } from '../errors.ts';
import { formatAddress, type Address } from '../support/address.ts';
import { splitZone } from '../support/zone.ts';
import { holderOf } from './address-holder.ts';

/** As many clients as the system lets wait at a socket: on Linux net.core.somaxconn. */
export const LISTEN_BACKLOG = 0x7fffffff;

/** An `Lb4Error` LB4_LISTEN_FAILED naming the address, with its cause. */
export function listenFailure(address: Address, cause: unknown): Lb4Error {
  const message = `cannot listen on ${formatAddress(address)}: ${inPlainWords(cause, address)}`;
  return new Lb4Error('LB4_LISTEN_FAILED', message, { cause });
}

const PLAIN_WORDS: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'the address is in use'],
  ['EACCES', 'permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE'],
  ['EADDRNOTAVAIL', 'no interface of this machine has this address'],
  ['ENOENT', 'the directory does not exist'],
  ['ENODEV', 'there is no such interface'],
  ['EPROTONOSUPPORT', 'this kernel has no MPTCP'],
  ['ENOPROTOOPT', 'MPTCP is switched off (net.mptcp.enabled)'],
]);

function inPlainWords(error: unknown, address: Address): string {
  const code = systemCode(error);
  const words = wordsFor(code, address) ?? wordsOf(error);
  return words === '' || words === code ? code : `${code}, ${words}`;
}

function wordsFor(code: string, address: Address): string | undefined {
  if (code === 'EINVAL') return aboutZone(address);
  const words = PLAIN_WORDS.get(code);
  const holder = code === 'EADDRINUSE' ? holderOf(address) : undefined;
  return holder === undefined ? words : `${words} by ${holder}`;
}

/** What is wrong with a link-local address that the kernel finds invalid. */
function aboutZone(address: Address): string | undefined {
  if (address.kind === 'unix') return undefined;
  const [host, zone] = splitZone(address.host);
  if (zone !== undefined) return `there is no interface ${zone} with an address of this kind`;
  return /^fe[89ab]/.test(host) ? `it belongs to an interface, as in [${host}%eth0]` : undefined;
}
