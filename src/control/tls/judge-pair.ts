/**
 * Judges a certificate with its key, as they stand in files: what cannot be used, and what can but should be looked at.
 *
 * Place: a part of control/tls: the files of listeners, and what upstreams show to backends.
 * Invariants:
 * - No text of a file is in a message.
 * - What is accepted, OpenSSL has accepted: a context was made of it.
 */
import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { TlsCertificate } from '../../engine/tls.ts';
import { wordsOf } from '../../errors.ts';
import { printable } from '../../support/printable.ts';
import { fieldOf, namesOf, readChain, shortName, wrongOrder, type Link } from './judge-chain.ts';
import { describeBytes, pemBlocks } from './pem.ts';

/** The contents of the files. */
export interface PairFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ocsp?: Buffer | undefined;
}

export interface PairFacts {
  /** What people call it: its common name or first name. */
  readonly name: string;
  /** In milliseconds of the wall clock. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly issuer: string;
}

/** Which file is at fault, what was expected of it, and what it is. */
export interface PairProblem {
  readonly file: keyof PairFiles;
  readonly expected: string;
  readonly found: string;
}

export type JudgedPair =
  | {
      readonly ok: true;
      readonly certificate: TlsCertificate;
      readonly facts: PairFacts;
      /** Sentences about it, such as that it has expired. */
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly problem: PairProblem };

const EXPECTED = {
  cert: 'a PEM file with the certificate, and behind it those that have issued it',
  key: 'a PEM file with the private key of the certificate, without a passphrase',
  ocsp: 'a file with a good OCSP response, in DER',
} as const;

const PRIVATE_KEY = /PRIVATE KEY$/;
const WEAK_RSA_BITS = 2048;
const DAY_MS = 24 * 60 * 60 * 1000;

/** @param now the wall clock */
export function judgePair(files: PairFiles, now: number): JudgedPair {
  const refuse = (file: keyof PairFiles, found: string): JudgedPair => ({
    ok: false,
    problem: { file, expected: EXPECTED[file], found },
  });
  const chain = readChain(files.cert);
  if (!chain.ok) return refuse('cert', chain.found);
  const key = readKey(files.key);
  if (!key.ok) return refuse('key', key.found);
  const { links } = chain;
  const [{ certificate }] = links;
  const order = wrongOrder(links, key.key);
  if (order !== undefined) return refuse('cert', order);
  if (!certificate.checkPrivateKey(key.key))
    return refuse('key', `it is the key of another certificate than that of ${shortName(certificate)}`);
  const pems = links.map(({ pem }) => pem).join('');
  try {
    createSecureContext({ cert: pems, key: key.pem });
  } catch (error) {
    return refuse(/key/i.test(wordsOf(error)) ? 'key' : 'cert', `OpenSSL refuses it: ${opensslWords(error)}`);
  }
  if (files.ocsp !== undefined) {
    const found = whyNoResponse(files.ocsp);
    if (found !== undefined) return refuse('ocsp', found);
  }
  const { ocsp } = files;
  const names = namesOf(certificate);
  return {
    ok: true,
    certificate: { id: idOf(pems, key.pem, ocsp), chain: pems, key: key.pem, names, ocsp },
    facts: {
      name: shortName(certificate),
      issuer: issuerOf(links),
      notBefore: Date.parse(certificate.validFrom),
      notAfter: Date.parse(certificate.validTo),
    },
    warnings: [...timeWarnings(links, now), ...strengthWarnings(links)],
  };
}

type KeyResult =
  | { readonly ok: true; readonly key: KeyObject; readonly pem: string }
  | { readonly ok: false; readonly found: string };

function readKey(bytes: Buffer): KeyResult {
  const block = pemBlocks(bytes.toString()).find(({ label }) => PRIVATE_KEY.test(label));
  if (block === undefined) return { ok: false, found: describeBytes(bytes, 'private key') };
  const { label, text } = block;
  if (label.startsWith('ENCRYPTED') || /^Proc-Type: 4,ENCRYPTED/m.test(text))
    return { ok: false, found: 'it has a passphrase, which lb4 cannot be given' };
  try {
    return { ok: true, key: createPrivateKey(text), pem: text };
  } catch {
    return { ok: false, found: `the private key (line ${block.line}) cannot be read` };
  }
}

/** Expired, or not valid yet: the certificate itself, or one that has issued it. */
function timeWarnings(links: readonly Link[], now: number): string[] {
  return links.flatMap(({ certificate, line }, i) => {
    const who = i === 0 ? 'the certificate' : `certificate ${i + 1} (line ${line})`;
    const what = `${who} of ${shortName(certificate)}`;
    const from = Date.parse(certificate.validFrom);
    const to = Date.parse(certificate.validTo);
    if (to < now) return [`${what} has expired on ${dayOf(to)}, ${daysText(now - to)} ago`];
    return from > now ? [`${what} is not valid before ${new Date(from).toISOString()}`] : [];
  });
}

function strengthWarnings(links: readonly Link[]): string[] {
  return links.flatMap(({ certificate, line }, i) => {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
    const bits = details?.modulusLength ?? WEAK_RSA_BITS;
    if (type !== 'rsa' || bits >= WEAK_RSA_BITS) return [];
    const who = i === 0 ? 'the certificate' : `certificate ${i + 1} (line ${line})`;
    const text = `${who} of ${shortName(certificate)} has an RSA key of ${bits} bits, which many clients refuse: 2048 are the least`;
    return [text];
  });
}

/** OCSPResponse (RFC 6960): a sequence that begins with its status, 0 for one that says something. */
function whyNoResponse(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return 'it is empty';
  if (bytes.includes('-----BEGIN ')) return 'it is PEM, not DER';
  const length = bytes[1] ?? 0;
  const at = length < 0x80 ? 2 : 2 + (length & 0x7f);
  if (bytes[0] !== 0x30 || bytes[at] !== 0x0a || bytes[at + 1] !== 1) return 'no OCSP response in it';
  const status = bytes[at + 2];
  return status === 0 ? undefined : `the authority has answered with status ${status}`;
}

function issuerOf([first]: readonly Link[]): string {
  const issuer = first?.certificate.issuer;
  return printable(fieldOf(issuer, 'CN') ?? fieldOf(issuer, 'O') ?? '');
}

/** Of all parts together, so that it says nothing of the key by itself. */
function idOf(chain: string, key: string, ocsp: Buffer | undefined): string {
  const hash = createHash('sha256').update(`${chain}\0${key}\0`);
  return hash.update(ocsp ?? '').digest('base64url');
}

/** `error:0A00018F:SSL routines::ee key too small` → `ee key too small`. */
export function opensslWords(error: unknown): string {
  return wordsOf(error).replace(/^error:[0-9A-F]+:(?:[^:]*:)*/i, '');
}

export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** `3 days`; less than a day is one. */
export function daysText(ms: number): string {
  const days = Math.max(1, Math.floor(ms / DAY_MS));
  return days === 1 ? '1 day' : `${days} days`;
}
