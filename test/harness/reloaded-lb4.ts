/**
 * A real lb4 that reloads one configuration after the other, in a network of its own, with sessions at a fixed rate.
 *
 * Place: many-reloads.test.ts. How: configurations lie ready in files, because a reload waits for a file that is young,
 * and the one that is named to lb4 is a link that moves from one to the next, as Kubernetes does it. The next reload is
 * asked for when the last one is answered.
 */
import { readdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AdminClient } from '../../src/cli/client/admin-client.ts';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import type { LoadBalancerSnapshot } from '../../src/model/snapshot.ts';
import { SEPARATE_LB4, startLb4, type Lb4Process } from './lb4-process.ts';
import { LingeringSessions } from './lingering-sessions.ts';
import { NetworkNamespace } from './network-namespace.ts';
import { residentBytes } from './resident-bytes.ts';
import type { Teardown } from './teardown.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { pause } from './until.ts';
import { ANSWERING, answeringAt, whatItHolds, type Held } from './what-it-holds.ts';

/** A file that has not changed for this long is whole (written-file.ts). */
const OLD_MS = 210;
const FILES = 128;

export interface Looked extends Held {
  readonly residentBytes: number;
  readonly descriptors: number;
}

/** A configuration that lies ready. */
export interface Ready {
  readonly config: ConfigInput;
  readonly file: string;
}

export class ReloadedLb4 {
  readonly process: Lb4Process;
  readonly sessions: LingeringSessions;
  readonly #folder: string;
  readonly #admin: AdminClient;
  readonly #workers: number;
  #written = 0;

  private constructor(
    folder: string,
    process: Lb4Process,
    sessions: LingeringSessions,
    { admin, workers }: { admin: AdminClient; workers: number },
  ) {
    this.#folder = folder;
    this.process = process;
    this.sessions = sessions;
    this.#admin = admin;
    this.#workers = workers;
  }

  /** @param first the configuration to start with, by the port of the backend */
  static async start(
    t: Teardown,
    { first, seed }: { first: (backendPort: number) => ConfigInput; seed: number },
  ): Promise<ReloadedLb4> {
    const namespace = await NetworkNamespace.create(`lb4-reloads-${process.pid}`);
    t.teardown(() => namespace.delete());
    const sessions = await namespace.run(() => LingeringSessions.start(t, seed));
    const folder = temporaryFolder(t);
    const config = first(sessions.backendPort);
    writeFileSync(join(folder, 'lb4.yaml'), JSON.stringify(config));
    const name = `test-${process.pid}-reloads`;
    const lb4 = await namespace.run(() =>
      startLb4(t, ['-c', join(folder, 'lb4.yaml')], {
        command: [process.execPath, ...ANSWERING, SEPARATE_LB4],
        env: { ...answeringAt(join(folder, 'held.sock')), LB4_ADMIN_SOCKET: 'auto', LB4_NAME: name },
      }),
    );
    await lb4.line(({ event }) => event === 'adminListening');
    return new ReloadedLb4(folder, lb4, sessions, {
      admin: new AdminClient({ name }),
      workers: Number(config.workers),
    });
  }

  /** Lays a configuration ready. Only the last few stay. */
  prepare(config: ConfigInput): Ready {
    const file = `${this.#written++ % FILES}.yaml`;
    writeFileSync(join(this.#folder, file), JSON.stringify({ ...config, log: { level: 'error' } }));
    return { config, file };
  }

  /** Rejects with what lb4 finds wrong. */
  async reload({ file }: Ready): Promise<void> {
    const youngMs = OLD_MS - (Date.now() - statSync(join(this.#folder, file)).ctimeMs);
    if (youngMs > 0) await pause(youngMs);
    symlinkSync(file, join(this.#folder, 'next'));
    renameSync(join(this.#folder, 'next'), join(this.#folder, 'lb4.yaml'));
    await this.#admin.ask('POST', '/api/v1/reload', {});
  }

  async status(): Promise<LoadBalancerSnapshot> {
    // The route's answer has all of it.
    return (await this.#admin.ask('GET', '/api/v1/status')) as LoadBalancerSnapshot;
  }

  async look(): Promise<Looked> {
    const held = await whatItHolds(join(this.#folder, 'held.sock'), this.#workers);
    return { ...held, residentBytes: residentBytes(this.process.pid), descriptors: this.descriptors };
  }

  /** How many it has open. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.process.pid}/fd`).length;
  }

  /** Processor time of lb4 so far, in milliseconds. */
  get cpuMs(): number {
    const fields = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }
}
