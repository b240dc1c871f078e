/**
 * Certificates as a test wants them: authorities, chains, expired ones, weak keys. Made by hand (X.509 is ASN.1), because
 * no program makes them at any time and in any state within a millisecond.
 */
import { createPublicKey, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

export interface Issued {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly keyObject: KeyObject;
  readonly subject: string;
}

export interface Wishes {
  /** The common name. */
  readonly name?: string;
  /** Subject alternative names; none: there is no such list. */
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  /** Days from now; may lie in the past. */
  readonly from?: number;
  readonly to?: number;
  readonly isAuthority?: boolean;
  /** Default: itself. */
  readonly issuer?: Issued;
  readonly rsaBits?: number;
  /** Another certificate of the same key. */
  readonly keyObject?: KeyObject;
}

const DAY_MS = 86_400_000;

/** Without wishes: for localhost and 127.0.0.1, self-signed, for 90 days, with an EC key. */
export function issue(wishes: Wishes = {}): Issued {
  const { name = 'localhost', issuer, rsaBits, isAuthority = false, from = -1, to = 90 } = wishes;
  const dns = wishes.dns ?? (isAuthority ? [] : [name]);
  const ip = wishes.ip ?? (dns.includes('localhost') ? ['127.0.0.1'] : []);
  const privateKey =
    wishes.keyObject ??
    (rsaBits === undefined
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
      : generateKeyPairSync('rsa', { modulusLength: rsaBits }).privateKey);
  const signer = issuer?.keyObject ?? privateKey;
  const algorithm =
    signer.asymmetricKeyType === 'rsa'
      ? sequence(oid('1.2.840.113549.1.1.11'), tag(0x05))
      : sequence(oid('1.2.840.10045.4.3.2'));
  const names = [
    ...dns.map(each => tag(0x82, Buffer.from(each))),
    ...ip.map(each => tag(0x87, Buffer.from(each.split('.').map(Number)))),
  ];
  const extensions = [
    sequence(
      oid('2.5.29.19'),
      tag(0x01, Buffer.from([0xff])),
      octets(sequence(...(isAuthority ? [TRUE] : []))),
    ),
    ...(names.length === 0 ? [] : [sequence(oid('2.5.29.17'), octets(sequence(...names)))]),
  ];
  const body = sequence(
    tag(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([0x40]), randomBytes(8)])),
    algorithm,
    nameOf(issuer?.subject ?? name),
    sequence(time(from), time(to)),
    nameOf(name),
    publicHalf(privateKey),
    tag(0xa3, sequence(...extensions)),
  );
  const signature = tag(0x03, Buffer.from([0]), sign('sha256', body, signer));
  const der = sequence(body, algorithm, signature);
  const base64 = der.toString('base64').replaceAll(/.{1,64}/g, '$&\n');
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}-----END CERTIFICATE-----\n`,
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    keyObject: privateKey,
    subject: name,
  };
}

/** An authority, one between, and the certificate: `chain` as clients want it. */
export function issueChain(wishes: Wishes = {}): {
  readonly root: Issued;
  readonly between: Issued;
  readonly leaf: Issued;
  readonly chain: string;
} {
  const root = issue({ name: 'test root', isAuthority: true });
  const between = issue({ name: 'test between', isAuthority: true, issuer: root });
  const leaf = issue({ ...wishes, issuer: between });
  return { root, between, leaf, chain: leaf.cert + between.cert };
}

const TRUE = tag(0x01, Buffer.from([0xff]));

function tag(type: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const { length } = body;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([type, ...size]), body]);
}

function sequence(...content: readonly Buffer[]): Buffer {
  return tag(0x30, ...content);
}

function integer(bytes: Buffer): Buffer {
  return tag(0x02, bytes);
}

function octets(content: Buffer): Buffer {
  return tag(0x04, content);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...others] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const each of others) {
    const groups = [each & 0x7f];
    for (let rest = each >> 7; rest > 0; rest >>= 7) groups.unshift((rest & 0x7f) | 0x80);
    bytes.push(...groups);
  }
  return tag(0x06, Buffer.from(bytes));
}

function nameOf(common: string): Buffer {
  return sequence(tag(0x31, sequence(oid('2.5.4.3'), tag(0x0c, Buffer.from(common)))));
}

function time(days: number): Buffer {
  const iso = new Date(Date.now() + days * DAY_MS).toISOString();
  return tag(0x17, Buffer.from(`${iso.slice(2, 19).replaceAll(/[-:T]/g, '')}Z`));
}

function publicHalf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}
