/**
 * The certificates that a balancer uses: loads them with each configuration, and gives plans their settings.
 *
 * Place: a part of planes.ts. What files contain is judged by control/tls.
 */
import type { Config } from '../config/schema/schema.ts';
import type { FromFiles } from '../control/listener-plans.ts';
import { loadTls, type LoadedTls } from '../control/tls/load-tls.ts';
import { TicketKeys } from '../control/tls/ticket-keys.ts';
import { tlsFiles } from '../control/tls/tls-files.ts';
import { inSlices } from '../support/slices.ts';
import type { SetTimer } from '../support/timer.ts';

export interface TlsKeeperDeps {
  readonly baseDir: string;
  wallClock(): number;
  randomBytes(count: number): Uint8Array;
  readonly setTimer: SetTimer;
  /** Plans are to be made anew, because of other ticket keys. */
  renew(): void;
}

export class TlsKeeper {
  readonly #deps: TlsKeeperDeps;
  readonly #tickets: TicketKeys;

  constructor(deps: TlsKeeperDeps) {
    this.#deps = deps;
    this.#tickets = new TicketKeys({
      randomBytes: count => deps.randomBytes(count),
      setTimer: deps.setTimer,
      onRotated: () => deps.renew(),
    });
  }

  /** Rejects with a `ConfigError` that names every file that cannot be used. */
  load(config: Config): Promise<LoadedTls> {
    const { baseDir } = this.#deps;
    return inSlices(loadTls(config, { ...tlsFiles, baseDir, wallClock: () => this.#deps.wallClock() }));
  }

  /** With the ticket keys of now. */
  serverSettings({ listeners }: LoadedTls): FromFiles['tls'] {
    return new Map(
      [...listeners].map(([name, each]) => [name, { ...each, ticketKeys: this.#tickets.current }]),
    );
  }

  stop(): void {
    this.#tickets.stop();
  }
}
