/**
 * The admin API of a running lb4: opens what the configuration asks for, and the unix socket of its user.
 *
 * Place: run.ts opens the configured address before clients are accepted, so that an address that is taken stops the
 * start; the unix socket afterwards, and its failure stops nothing.
 * A second instance of the same name takes the socket when the first one has ended, as after a restart that overlaps.
 */
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { AdminServer } from '../admin/admin-server.ts';
import type { AdminPort } from '../admin/port.ts';
import type { Config } from '../config/schema/schema.ts';
import { adminToken } from '../config/source/named-files.ts';
import { wordsOf } from '../errors.ts';
import { removeStale } from '../linux/socket-file.ts';
import type { Log } from '../observe/log.ts';
import { formatAddress, type Address } from '../support/address.ts';
import { atExit } from '../support/at-exit.ts';
import type { HandedSockets } from '../support/socket.ts';
import { adminClients } from '../support/process-limits.ts';
import { readSmallFile } from '../support/small-file.ts';
import { setUnrefTimer } from '../support/timer.ts';
import { ADMIN_SURROUNDINGS } from './admin-surroundings.ts';
import { makeFolder, socketPaths, thisPlace } from './admin-places.ts';
import { refusalOf } from './own-addresses.ts';
import { version } from './version.ts';

/** How often an instance looks whether the socket of its name is free by now. */
const RETRY_MS = 1_000;
/** While a socket file is there, one look in this many asks whether a process still listens at it. */
const LOOKS_AT_A_FILE = 10;

export interface AdminOptions {
  readonly config: Config;
  /** After the reloads since. */
  readonly configNow: () => Config;
  readonly balancer: AdminPort['balancer'];
  /** Where a relative path of the configuration starts. */
  readonly baseDir: string;
  readonly log: Log;
  /** What a drain through the API does. */
  readonly drain: AdminPort['drain'];
  readonly file?: AdminPort['file'];
  readonly noReload?: AdminPort['noReload'];
  readonly reload: AdminPort['reload'];
  readonly lastReload: AdminPort['lastReload'];
  readonly figures: AdminPort['figures'];
  readonly logs: AdminPort['logs'];
  readonly upgrade: AdminPort['upgrade'];
  /** Sockets of the predecessor. */
  readonly inherited: readonly HandedSockets[] | undefined;
}

export class Admin {
  readonly #options: AdminOptions;
  readonly #server: AdminServer;
  readonly #addresses: Address[] = [];
  #isClosed = false;
  #isHandedOver = false;
  /** The unix socket is open. */
  #hasSocket = false;

  /** Throws a `ConfigError` when the file with the token cannot be used. */
  constructor(options: AdminOptions) {
    this.#options = options;
    const { config, balancer, baseDir, log, drain, reload, lastReload, figures, logs, upgrade, inherited } =
      options;
    const { tokenFile, bind, hosts = [], readyNeeds } = config.admin;
    this.#server = new AdminServer({
      port: {
        balancer,
        about: { name: config.name, version: version(), pid: process.pid },
        readyNeeds,
        isHandedOver: () => this.#isHandedOver,
        refusal: (upstream, backend) =>
          refusalOf(upstream, backend, {
            config: options.configNow(),
            snapshot: () => balancer.snapshot(),
            admin: this.#addresses,
          }),
        drain,
        ...{ file: options.file, noReload: options.noReload },
        reload,
        lastReload,
        figures,
        logs,
        upgrade,
      },
      inherited,
      rules: {
        token: adminToken({ tokenFile }, { baseDir, readFile: readSmallFile }),
        hosts: [...hosts, hostname(), ...(bind?.kind === 'tcp' ? [bind.host] : [])],
      },
      mostClients: adminClients(),
      log,
      ...ADMIN_SURROUNDINGS,
    });
    // From the start on, for those who look later.
    if (bind !== undefined || config.admin.socket !== 'off') this.#server.record();
  }

  /** Opens the address that the configuration names; rejects with LB4_LISTEN_FAILED. */
  async openConfigured(): Promise<void> {
    const { bind } = this.#options.config.admin;
    if (bind === undefined || this.#server.inherits(bind)) return;
    await this.#listen(bind);
  }

  /** Opens what the predecessor has opened as well. To be called when clients are accepted: both answer from then on. */
  async openInherited(): Promise<void> {
    const { bind, socket } = this.#options.config.admin;
    if (bind !== undefined && this.#server.inherits(bind)) await this.#listen(bind);
    if (socket === 'off') return;
    const addresses = socketPaths(this.#options.config.name, thisPlace()).map(unixAddress);
    const inherited = addresses.find(address => this.#server.inherits(address));
    if (inherited === undefined) return;
    await this.#listen(inherited);
    this.#hasSocket = true;
  }

  /** Opens the unix socket, or logs why it cannot; never rejects. */
  async openSocket(): Promise<void> {
    const { config, log } = this.#options;
    if (config.admin.socket === 'off' || this.#hasSocket) return;
    const first = await this.#tryOpen();
    if (first === undefined) return;
    const isTaken = first.includes('EADDRINUSE');
    const hint = isTaken
      ? '; another lb4 of this name runs: --name gives this one a name of its own'
      : '; lb4 status and other commands cannot reach it';
    log.write('warn', 'adminUnavailable', `no admin socket: ${first}${hint}`, { name: config.name });
    if (isTaken) this.#retry();
  }

  /** For a successor. */
  toHandOver(): readonly HandedSockets[] {
    return this.#server.toHandOver();
  }

  /** The successor answers from now on. */
  handOver(taken: readonly string[]): void {
    this.#isHandedOver = true;
    this.#server.handOver(taken);
    // It does not look for a socket that is free, either.
    this.#isClosed = true;
  }

  takenOver(): readonly string[] {
    return this.#server.takenOver();
  }

  /** The predecessor has let go of its sockets. */
  own(): void {
    this.#server.own();
  }

  /** Ends every connection of a client. */
  close(): void {
    this.#isClosed = true;
    this.#server.close();
  }

  /** While the file is there its owner is asked less often, because every question is a client of its API. */
  #retry(looks = 1): void {
    setUnrefTimer(() => {
      if (this.#isClosed) return;
      const paths = socketPaths(this.#options.config.name, thisPlace());
      const isThere = paths.some(path => existsSync(path));
      if (isThere && looks % LOOKS_AT_A_FILE !== 0) this.#retry(looks + 1);
      else void this.#lookAgain(paths);
    }, RETRY_MS);
  }

  async #lookAgain(paths: readonly string[]): Promise<void> {
    const isTaken = (await isHeld(paths)) || (!this.#isClosed && (await this.#tryOpen()) !== undefined);
    if (isTaken) this.#retry();
  }

  /** Why it could not be opened; undefined when it is open. */
  async #tryOpen(): Promise<string | undefined> {
    const place = thisPlace();
    let first: string | undefined;
    for (const path of socketPaths(this.#options.config.name, place)) {
      try {
        makeFolder(path, place);
        await this.#listen({ kind: 'unix', path });
        return undefined;
      } catch (error) {
        const words = wordsOf(error);
        // Another instance has it: not to be opened elsewhere, where no command would look for it.
        if (words.includes('EADDRINUSE')) return words;
        first ??= words;
      }
    }
    return first;
  }

  async #listen(where: Address): Promise<void> {
    atExit(() => this.#server.releaseSockets());
    const opened = await this.#server.listen(where);
    this.#addresses.push(opened);
    const address = formatAddress(opened);
    this.#options.log.write('info', 'adminListening', `the admin API is at ${address}`, { address });
  }
}

/**
 * Whether another instance listens at the path that would be opened. A bind that fails finds out which process that is,
 * from the descriptors of all processes; an instance that waits for the path need not know.
 */
async function isHeld(paths: readonly string[]): Promise<boolean> {
  const place = thisPlace();
  for (const path of paths) {
    try {
      makeFolder(path, place);
    } catch {
      continue;
    }
    // What stands in the way of its removal is for a bind to say.
    return existsSync(path) && !(await removeStale(path).catch(() => true));
  }
  return false;
}

function unixAddress(path: string): Address {
  return { kind: 'unix', path };
}
