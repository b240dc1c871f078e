/**
 * What `tls` of listeners and upstreams means: reads the files that they name, judges them, and makes the settings that
 * plans carry.
 *
 * Place: composition asks for it at the start, with each configuration and when a file has changed; `lb4 check` as well.
 * Invariants:
 * - A file that cannot be used is an issue with the key, the path, and what was expected and found; all are reported.
 * - A pair is read and judged once, however many listeners name it.
 * - No text of a file is in a message.
 */
import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigError } from '../../config/report/config-error.ts';
import type { ConfigIssue, Path } from '../../config/report/issue.ts';
import type { Config } from '../../config/schema/schema.ts';
import type { ListenerTls, UpstreamTls } from '../../config/schema/tls-schema.ts';
import { readCertificates } from '../../config/source/named-files.ts';
import type { TlsCertificate, TlsClientSettings, TlsServerSettings } from '../../engine/tls.ts';
import { systemCode } from '../../errors.ts';
import type { Sliced } from '../../support/slices.ts';
import { dayOf, judgePair, opensslWords, type JudgedPair, type PairFacts } from './judge-pair.ts';

export interface TlsFilesDeps {
  /** Relative paths start here. */
  readonly baseDir: string;
  readonly readBytes: (path: string) => Buffer;
  /** Whether users of other groups may read a file; false where that cannot be found out. */
  readonly isOpenToAll: (path: string) => boolean;
  /** In milliseconds. */
  wallClock(): number;
  /**
   * Until when a certificate is valid that is in use from this file (absolute); undefined: none is. It is not replaced by
   * one that has expired.
   */
  validUntil?(cert: string): number | undefined;
  /** What is in use is used again in place of what cannot be; absent: that is an error. */
  readonly inUse?: LoadedTls | undefined;
}

/** All but what control gives to every listener by itself. */
export type LoadedServer = Omit<TlsServerSettings, 'ticketKeys'>;

/** A certificate that is in use, and where. */
export interface LoadedCertificate extends PairFacts {
  readonly owner: 'listener' | 'upstream';
  /** Of the listener or upstream. */
  readonly of: string;
  /** As it is configured. */
  readonly file: string;
  readonly id: string;
  readonly names: readonly string[];
}

export interface LoadedTls {
  /** By the name of the listener, or of the upstream. */
  readonly listeners: ReadonlyMap<string, LoadedServer>;
  readonly upstreams: ReadonlyMap<string, TlsClientSettings>;
  readonly certificates: readonly LoadedCertificate[];
  /** What can be used, and should be looked at. */
  readonly warnings: readonly ConfigIssue[];
  /** What cannot be used, where something else is in use in its place. */
  readonly refused: readonly ConfigIssue[];
  /** All that were read, as absolute paths. */
  readonly files: ReadonlySet<string>;
  /** What was made of files, by their paths. */
  readonly pairs: ReadonlyMap<string, GoodPair>;
  readonly authorities: ReadonlyMap<string, string>;
}

type GoodPair = JudgedPair & { readonly ok: true };

export const NO_TLS: LoadedTls = {
  ...{ listeners: new Map(), upstreams: new Map(), pairs: new Map(), authorities: new Map() },
  ...{ certificates: [], warnings: [], refused: [], files: new Set() },
};

/** One certificate of `tls`, as configured, and where it stands. */
interface Pair {
  readonly cert: string;
  readonly key: string;
  readonly ocsp?: string | undefined;
  readonly at: Path;
}

/** Of a pair; `key` is the one that names the file. */
interface Problem {
  readonly key: string;
  readonly expected: string;
  readonly got: string;
}

/** As OpenSSL writes them. TLS 1.3 first; then forward secrecy and authenticated encryption only. */
export const DEFAULT_CIPHERS = [
  'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Throws a `ConfigError` with everything that cannot be used. */
export function* loadTls(
  { listeners, upstreams }: Pick<Config, 'listeners' | 'upstreams'>,
  deps: TlsFilesDeps,
): Sliced<LoadedTls> {
  const issues: ConfigIssue[] = [];
  const warnings: ConfigIssue[] = [];
  const certificates: LoadedCertificate[] = [];
  const files = new Set<string>();
  const refused: ConfigIssue[] = [];
  const judged = new Map<
    string,
    { readonly pair?: GoodPair | undefined; readonly issues: readonly Problem[] }
  >();
  const trusted = new Map<string, string>();
  const found = {
    listeners: new Map<string, LoadedServer>(),
    upstreams: new Map<string, TlsClientSettings>(),
  };
  for (const [index, { name, tls }] of listeners.entries()) {
    if (tls === undefined) continue;
    const at = ['listeners', index, 'tls'];
    const own: TlsCertificate[] = [];
    for (const pair of pairsOf(tls, at)) {
      const certificate = loadPair(pair, { owner: 'listener', of: name });
      if (certificate !== undefined) own.push(certificate);
      yield;
    }
    warnAboutNames(own, name, at);
    const clients = tls.clientCa === undefined ? undefined : authorities('clientCa', tls.clientCa, at);
    const settings = serverSettings(tls, own, clients);
    tryOut({ ciphers: settings.ciphers }, [...at, 'ciphers'], tls.ciphers);
    found.listeners.set(name, settings);
  }
  for (const [index, { name, tls }] of upstreams.entries()) {
    if (tls === undefined) continue;
    const at = ['upstreams', index, 'tls'];
    const { cert, key } = tls;
    const hasOwn = cert !== undefined && key !== undefined;
    const own = hasOwn ? loadPair({ cert, key, at }, { owner: 'upstream', of: name }) : undefined;
    const ca = tls.ca === undefined ? undefined : authorities('ca', tls.ca, at);
    found.upstreams.set(name, clientSettings(tls, own, ca));
    yield;
  }
  if (issues.length > 0) throw new ConfigError(issues);
  const pairs = new Map([...judged].flatMap(([id, { pair }]) => (pair === undefined ? [] : [[id, pair]])));
  return { ...found, certificates, warnings, refused, files, pairs, authorities: trusted };

  function loadPair(
    { at, ...pair }: Pair,
    where: Pick<LoadedCertificate, 'owner' | 'of'>,
  ): TlsCertificate | undefined {
    const id = JSON.stringify(pair);
    const isFirst = !judged.has(id);
    const found = judged.get(id) ?? judge(pair);
    if (found.pair === undefined) {
      const instead = deps.inUse?.pairs.get(id);
      // A problem is one, however many name the files; where the configuration is refused, each place is shown.
      if (instead === undefined || isFirst)
        problems(
          found.issues.map(({ key, ...issue }) => issueAt([...at, key], issue.expected, issue.got)),
          instead,
        );
      judged.set(id, { pair: instead, issues: found.issues });
      return instead && used(instead, pair.cert, where);
    }
    judged.set(id, found);
    if (isFirst) {
      const texts = found.pair.warnings.map(text => ({ key: 'cert', text: `${pathOf(pair.cert)}: ${text}` }));
      const keyPath = pathOf(pair.key);
      if (deps.isOpenToAll(keyPath))
        texts.push({ key: 'key', text: `every user of this machine may read the private key ${keyPath}` });
      for (const { key, text } of texts) warnings.push(warningAt([...at, key], text));
    }
    return used(found.pair, pair.cert, where);
  }

  function used(
    { certificate, facts }: GoodPair,
    file: string,
    where: Pick<LoadedCertificate, 'owner' | 'of'>,
  ): TlsCertificate {
    const { id, names } = certificate;
    certificates.push({ ...facts, ...where, file, id, names });
    return certificate;
  }

  function judge({ cert, key, ocsp }: Omit<Pair, 'at'>): {
    readonly pair?: GoodPair | undefined;
    readonly issues: readonly Problem[];
  } {
    const issues: Problem[] = [];
    const read = (name: string, file: string, expected: string): Buffer => {
      const path = pathOf(file);
      files.add(path);
      try {
        return deps.readBytes(path);
      } catch (error) {
        issues.push({ key: name, expected, got: `${path} (${systemCode(error)})` });
        return Buffer.alloc(0);
      }
    };
    const contents = {
      cert: read('cert', cert, 'a PEM file with the certificate'),
      key: read('key', key, 'a PEM file with its private key'),
      ocsp: ocsp === undefined ? undefined : read('ocsp', ocsp, 'a file with an OCSP response'),
    };
    if (issues.length > 0) return { issues };
    const now = deps.wallClock();
    const pair = judgePair(contents, now);
    if (!pair.ok) {
      const { file, expected, found } = pair.problem;
      const path = pathOf({ cert, key, ocsp: ocsp ?? '' }[file]);
      return { issues: [{ key: file, expected, got: `${path} (${found})` }] };
    }
    const until = deps.validUntil?.(pathOf(cert)) ?? 0;
    if (pair.facts.notAfter >= now || until < now) return { pair, issues };
    const got = `${pathOf(cert)} (it has expired on ${dayOf(pair.facts.notAfter)})`;
    const expected = `a certificate that is valid, as the one in use is until ${dayOf(until)}`;
    return { issues: [{ key: 'cert', expected, got }] };
  }

  /** @param instead what is used in place of what cannot be */
  function problems(found: readonly ConfigIssue[], instead: unknown): void {
    (instead === undefined ? issues : refused).push(...found);
  }

  /** PEM, without what stands between certificates. */
  function authorities(key: string, file: string, at: Path): string {
    const path = pathOf(file);
    files.add(path);
    const { baseDir, readBytes, inUse } = deps;
    const readFile = (path: string): string => readBytes(path).toString();
    try {
      const certificates = readCertificates([key], file, { baseDir, at, readFile });
      const text = certificates.join('\n');
      const over = certificates.filter(
        each => Date.parse(new X509Certificate(each).validTo) < deps.wallClock(),
      );
      if (over.length > 0) {
        const words = `${path}: ${over.length} of ${certificates.length} authorities have expired`;
        warnings.push(warningAt([...at, key], words));
      }
      trusted.set(path, text);
      tryOut({ ca: text }, [...at, key], path);
      return text;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const instead = inUse?.authorities.get(path);
      problems(error.issues, instead);
      if (instead !== undefined) trusted.set(path, instead);
      return instead ?? '';
    }
  }

  function tryOut(options: SecureContextOptions, path: Path, got = ''): void {
    try {
      createSecureContext(options);
    } catch (error) {
      issues.push(issueAt(path, 'what OpenSSL takes', `${got} (${opensslWords(error)})`));
    }
  }

  function warnAboutNames(own: readonly TlsCertificate[], listener: string, at: Path): void {
    const first = new Map<string, string>();
    for (const { id, names } of own) {
      for (const name of names) {
        const other = first.get(name);
        if (other === undefined) first.set(name, id);
        else if (other !== id)
          warnings.push(
            warningAt(at, `listener ${listener} has two certificates for ${name}: the first one is used`),
          );
      }
    }
  }

  function pathOf(file: string): string {
    return resolve(deps.baseDir, file);
  }
}

/** In the order in which they count. */
function pairsOf({ cert, key, ocsp, certificates = [] }: ListenerTls, at: Path): readonly Pair[] {
  const first = cert !== undefined && key !== undefined ? [{ cert, key, ocsp, at }] : [];
  return [...first, ...certificates.map((each, i) => ({ ...each, at: [...at, 'certificates', i] }))];
}

function serverSettings(
  { alpn, minVersion, ciphers = DEFAULT_CIPHERS, clientCert, timeout, starttls }: ListenerTls,
  certificates: readonly TlsCertificate[],
  ca: string | undefined,
): LoadedServer {
  const clients = ca === undefined ? undefined : { ca, isRequired: clientCert !== 'optional' };
  const protocols = alpn ?? protocolsOf(starttls);
  return { certificates, alpn: protocols, minVersion, ciphers, clients, timeout, starttls };
}

function clientSettings(
  { serverName, verify, alpn, minVersion, starttls }: UpstreamTls,
  certificate: TlsCertificate | undefined,
  ca: string | undefined,
): TlsClientSettings {
  const own = certificate && { id: certificate.id, chain: certificate.chain, key: certificate.key };
  return { serverName, verify, ca, own, alpn: alpn ?? protocolsOf(starttls), minVersion, starttls };
}

/** What the protocol inside has registered, and expects where TLS begins at once. */
function protocolsOf(starttls: ListenerTls['starttls']): readonly string[] {
  return starttls === 'postgres' ? ['postgresql'] : [];
}

function issueAt(path: Path, expected: string, got: string): ConfigIssue {
  return { path, kind: 'value', expected, got, message: `expected ${expected}, got ${got}` };
}

function warningAt(path: Path, message: string): ConfigIssue {
  return { path, kind: 'value', expected: '', got: '', message };
}
