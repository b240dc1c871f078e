/**
 * The certificates that a balancer uses: loads them with each configuration, gives plans their settings, takes renewed
 * files up by itself, and says when one is about to expire.
 *
 * Place: a part of planes.ts. What files contain is judged by control/tls.
 * Invariant: sessions that run are never touched.
 */
import { resolve } from 'node:path';
import type { ConfigIssue } from '../config/report/issue.ts';
import type { Config } from '../config/schema/schema.ts';
import type { FromFiles } from '../control/listener-plans.ts';
import { daysLeft, ExpiryWatch } from '../control/tls/expiry-watch.ts';
import { loadTls, NO_TLS, type LoadedCertificate, type LoadedTls } from '../control/tls/load-tls.ts';
import { Renewal } from '../control/tls/renewal.ts';
import { TicketKeys } from '../control/tls/ticket-keys.ts';
import { tlsFiles } from '../control/tls/tls-files.ts';
import { wordsOf } from '../errors.ts';
import type { Clocks } from '../host/build-data-plane.ts';
import type { Events } from '../model/events.ts';
import type { TlsView } from '../model/snapshot.ts';
import { watchedFile } from '../support/file-watch.ts';
import { inSlices } from '../support/slices.ts';
import type { SetTimer } from '../support/timer.ts';

export interface TlsKeeperDeps {
  readonly baseDir: string;
  readonly events: Events;
  readonly clocks: Pick<Clocks, 'now' | 'wallClock'>;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly setTimer: SetTimer;
  /** Makes plans anew with these settings, while no configuration is taken over. */
  renew(loaded: LoadedTls): Promise<void>;
  /** See `StopWhenDownDeps`. */
  whenIdle(work: () => Promise<void>): Promise<void>;
}

export class TlsKeeper {
  readonly #deps: TlsKeeperDeps;
  readonly #tickets: TicketKeys;
  readonly #renewal: Renewal;
  readonly #expiry: ExpiryWatch;
  #config: Pick<Config, 'listeners' | 'upstreams'> = { listeners: [], upstreams: [] };
  #inUse: LoadedTls = NO_TLS;
  #hasStarted = false;
  /** Doubts that were reported. */
  #doubts = new Set<string>();

  constructor(deps: TlsKeeperDeps) {
    const { events, setTimer, clocks } = deps;
    this.#deps = deps;
    this.#tickets = new TicketKeys({
      setTimer,
      randomBytes: count => deps.randomBytes(count),
      onRotated: () => void deps.whenIdle(() => deps.renew(this.#inUse)),
    });
    this.#renewal = new Renewal({
      setTimer,
      now: () => clocks.now(),
      watch: (file, onChanged) =>
        watchedFile(file, onChanged, { setTimer, wallClock: () => clocks.wallClock() }),
      renew: () => this.#renew(),
      onRefused: issues => {
        for (const { message } of issues) events.emit('certificate:refused', { reason: message });
      },
      onFailed: reason => events.emit('certificate:refused', { reason }),
    });
    this.#expiry = new ExpiryWatch({
      setTimer,
      wallClock: () => clocks.wallClock(),
      onExpiring: (each, daysLeft) => events.emit('certificate:expiring', { ...wordsFor(each), daysLeft }),
    });
  }

  /** Rejects with a `ConfigError` that names every file that cannot be used. */
  load(config: Config): Promise<LoadedTls> {
    return inSlices(loadTls(config, this.#files()));
  }

  /** With the ticket keys of now. */
  serverSettings({ listeners }: LoadedTls): FromFiles['tls'] {
    return new Map(
      [...listeners].map(([name, each]) => [name, { ...each, ticketKeys: this.#tickets.current }]),
    );
  }

  /** The configuration is in force. */
  took(config: Config, loaded: LoadedTls): void {
    this.#config = config;
    this.#use(loaded);
    // Later ones are in the report of the reload.
    if (!this.#hasStarted) this.#tellDoubts(loaded);
    this.#hasStarted = true;
    this.#doubts = new Set(loaded.warnings.map(({ message }) => message));
  }

  stop(): void {
    this.#tickets.stop();
    this.#renewal.stop();
    this.#expiry.stop();
  }

  /** Undefined for a listener or an upstream without `tls`. */
  view(owner: LoadedCertificate['owner'], name: string): TlsView | undefined {
    const isListener = owner === 'listener';
    const { listeners, upstreams } = this.#config;
    const listener = isListener ? listeners.find(each => each.name === name)?.tls : undefined;
    const upstream = isListener ? undefined : upstreams.find(each => each.name === name)?.tls;
    const tls = listener ?? upstream;
    if (tls === undefined) return undefined;
    const now = this.#deps.clocks.wallClock();
    const own = this.#inUse.certificates.filter(each => each.owner === owner && each.of === name);
    return {
      certificates: own.map(({ file, names, issuer, notBefore, notAfter }) => ({
        ...{ file, names, issuer, notBefore: isoOf(notBefore), notAfter: isoOf(notAfter) },
        daysLeft: daysLeft(notAfter, now),
      })),
      minVersion: tls.minVersion,
      ...(listener?.clientCa === undefined
        ? {}
        : { clients: { ca: listener.clientCa, certificate: listener.clientCert ?? 'required' } }),
      ...(upstream === undefined ? {} : { verify: upstream.verify }),
      ...(upstream?.ca === undefined ? {} : { ca: upstream.ca }),
      ...(tls.starttls === undefined ? {} : { starttls: tls.starttls }),
    };
  }

  #files() {
    const { baseDir } = this.#deps;
    const until = new Map(
      this.#inUse.certificates.map(({ file, notAfter }) => [resolve(baseDir, file), notAfter]),
    );
    return {
      ...{ ...tlsFiles, baseDir },
      wallClock: () => this.#deps.clocks.wallClock(),
      validUntil: (file: string) => until.get(file),
    };
  }

  async #renew(): Promise<readonly ConfigIssue[]> {
    let refused: readonly ConfigIssue[] = [];
    await this.#deps.whenIdle(async () => {
      try {
        refused = await this.#loadAgain();
      } catch (error) {
        this.#deps.events.emit('certificate:refused', { reason: wordsOf(error) });
      }
    });
    return refused;
  }

  async #loadAgain(): Promise<readonly ConfigIssue[]> {
    const before = this.#inUse;
    const loaded = await inSlices(loadTls(this.#config, { ...this.#files(), inUse: before }));
    if (versionOf(loaded) === versionOf(before)) return loaded.refused;
    await this.#deps.renew(loaded);
    this.#use(loaded);
    this.#tellDoubts(loaded);
    const known = new Set(before.certificates.map(keyOf));
    for (const each of loaded.certificates)
      if (!known.has(keyOf(each))) this.#deps.events.emit('certificate:renewed', wordsFor(each));
    return loaded.refused;
  }

  #use(loaded: LoadedTls): void {
    this.#inUse = loaded;
    this.#renewal.follow(loaded.files);
    this.#expiry.follow(loaded.certificates);
  }

  #tellDoubts({ warnings }: LoadedTls): void {
    for (const { message } of warnings)
      if (!this.#doubts.has(message)) this.#deps.events.emit('certificate:doubtful', { reason: message });
    this.#doubts = new Set(warnings.map(({ message }) => message));
  }
}

function wordsFor({ owner, of, file, names, notAfter }: LoadedCertificate) {
  const where = owner === 'listener' ? { listener: of } : { upstream: of };
  return { ...where, file, names, notAfter: isoOf(notAfter) };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** The same as long as there is nothing else to use. */
function versionOf({ certificates, authorities }: LoadedTls): string {
  return JSON.stringify([certificates.map(keyOf), [...authorities]]);
}

function keyOf({ owner, of, file, id }: LoadedCertificate): string {
  return JSON.stringify([owner, of, file, id]);
}
