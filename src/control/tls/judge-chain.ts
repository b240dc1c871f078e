/**
 * Judges the certificates of a file: whether each can be read, and whether each has been issued by one behind it.
 *
 * Place: a part of control/tls. Pure.
 * How: clients get the certificates in the order of the file, and many look no further than to the next one.
 */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { printable } from '../../support/printable.ts';
import { describeBytes, pemBlocks } from './pem.ts';

export interface Link {
  readonly certificate: X509Certificate;
  readonly pem: string;
  readonly line: number;
}

export type ChainResult =
  | { readonly ok: true; readonly links: readonly [Link, ...Link[]] }
  | { readonly ok: false; readonly found: string };

const CERTIFICATE = /^(X509 )?CERTIFICATE$/;
const LONGEST_NAME = 100;

/** All certificates of a file, in its order. */
export function readChain(bytes: Buffer): ChainResult {
  const blocks = pemBlocks(bytes.toString()).filter(({ label }) => CERTIFICATE.test(label));
  const links: Link[] = [];
  for (const [i, { text, line }] of blocks.entries()) {
    try {
      links.push({ certificate: new X509Certificate(text), pem: text, line });
    } catch {
      return { ok: false, found: `certificate ${i + 1} of ${blocks.length} (line ${line}) cannot be read` };
    }
  }
  const [first, ...others] = links;
  if (first === undefined) return { ok: false, found: describeBytes(bytes, 'certificate') };
  return { ok: true, links: [first, ...others] };
}

/**
 * Why clients cannot follow the chain from the first certificate on; undefined: they can.
 * @param key of the certificate that has to be the first
 */
export function wrongOrder(links: readonly [Link, ...Link[]], key: KeyObject): string | undefined {
  const [first] = links;
  if (!isOf(first, key)) {
    const at = links.findIndex(link => isOf(link, key));
    const link = links[at];
    if (link === undefined) return undefined;
    return `the chain is in the wrong order: ${nameOf(links, at)} is the one of the key, and has to come first`;
  }
  for (let i = 1; i < links.length; i++) {
    const link = links[i];
    if (link === undefined) continue;
    const before = links.slice(0, i);
    if (before.some(each => each.certificate.fingerprint256 === link.certificate.fingerprint256))
      return `${nameOf(links, i)} is there twice`;
    // Another certificate of the same authority (cross-signed) has issued one before it as well.
    if (before.some(each => hasIssued(link, each))) continue;
    const later = links.findIndex((other, at) => at > i && hasIssued(link, other));
    if (later > 0)
      return `the chain is in the wrong order: ${nameOf(links, i)} has issued ${nameOf(links, later)}, and has to come behind it`;
    return `${nameOf(links, i)} has issued none of those before it`;
  }
  return undefined;
}

function isOf({ certificate }: Link, key: KeyObject): boolean {
  return certificate.checkPrivateKey(key);
}

function hasIssued(issuer: Link, { certificate }: Link): boolean {
  if (issuer.certificate === certificate) return false;
  return certificate.checkIssued(issuer.certificate) && certificate.verify(issuer.certificate.publicKey);
}

function nameOf(links: readonly Link[], at: number): string {
  const link = links[at];
  const name = link === undefined ? '' : `, ${shortName(link.certificate)}`;
  return `certificate ${at + 1} (line ${link?.line ?? 0}${name})`;
}

/** What people call a certificate: its common name, or its first name. */
export function shortName({ subject, subjectAltName }: X509Certificate): string {
  const common = fieldOf(subject, 'CN');
  const name = common ?? (subjectAltName ?? '').split(/[,\n]/)[0] ?? '';
  return printable(name.slice(0, LONGEST_NAME));
}

/** The DNS names that a certificate is for, in small letters; the common name where it has no list of names. */
export function namesOf({ subject, subjectAltName }: X509Certificate): readonly string[] {
  const names =
    subjectAltName === undefined
      ? [fieldOf(subject, 'CN') ?? '']
      : [...subjectAltName.matchAll(/(?:^|, )DNS:([^",]+)/g)].map(match => match[1] ?? '');
  return [...new Set(names.map(each => each.toLowerCase()).filter(each => NAME.test(each)))];
}

const NAME = /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;

/** Of a subject or an issuer, which has one field on each line, or is undefined where it has none, whatever the types say. */
export function fieldOf(fields: string | undefined, key: string): string | undefined {
  return new RegExp(`^${key}=(.*)$`, 'm').exec(fields ?? '')?.[1];
}
