/**
 * Upgrades: starts the lb4 that is installed now, with the same arguments and the listening sockets of this one, waits
 * until it is ready, and hands over.
 *
 * Place: `lb4 run` has one; SIGUSR2 and the admin API ask it.
 * Invariants:
 * - Until the newcomer is ready nothing changes here, and if it fails nothing has changed.
 * - One at a time. Never rejects.
 */
import type { LoadBalancer } from '../../load-balancer.ts';
import { wordsOf } from '../../errors.ts';
import type { UpgradeReport } from '../../model/upgrade-report.ts';
import type { Log } from '../../observe/log.ts';
import type { HandedSockets } from '../../support/socket.ts';
import { helloOf, type Leaving, type Ready } from './messages.ts';
import { NewcomerFailed, type Newcomer } from './newcomer.ts';

export interface UpgraderDeps {
  readonly balancer: Pick<LoadBalancer, 'state' | 'handOver'>;
  readonly pid: number;
  /** Why sockets cannot be handed over from this process; undefined where they can. */
  obstacle(): string | undefined;
  readonly admin: {
    toHandOver(): readonly HandedSockets[];
    handOver(taken: readonly string[]): void;
  };
  /** Starts the program with these descriptors, and greets it. Throws where the system cannot. */
  start(leaving: Leaving): Newcomer;
  /** The newcomer is the service from now on; called before the newcomer receives the message that says so. */
  onHandedOver(pid: number): void;
  /** Ends this process when its sessions have ended. */
  drain(): void;
  readonly log: Log;
}

export type UpgradeTrigger = 'signal' | 'api';

const ASKED_BY: Readonly<Record<UpgradeTrigger, string>> = { signal: 'SIGUSR2', api: 'admin API' };

export class Upgrader {
  readonly #deps: UpgraderDeps;
  #newcomer: Newcomer | undefined;
  #underWay: Promise<UpgradeReport> | undefined;
  #successor: number | undefined;

  constructor(deps: UpgraderDeps) {
    this.#deps = deps;
  }

  async upgrade(trigger: UpgradeTrigger): Promise<UpgradeReport> {
    const { log } = this.#deps;
    const asked = ASKED_BY[trigger];
    const why = this.#whyNot();
    if (why !== undefined) {
      log.write('warn', 'upgradeRefused', `no upgrade (${asked}): ${why}; nothing was changed`, { trigger });
      return { ok: false, reason: 'refused', problems: [why] };
    }
    this.#underWay = this.#attempt(trigger);
    try {
      return await this.#underWay;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** The upgrade that is under way, if there is one. */
  get underWay(): Promise<UpgradeReport> | undefined {
    return this.#underWay;
  }

  /** The process that has taken over. */
  get successor(): number | undefined {
    return this.#successor;
  }

  /** lb4 is to end: the newcomer is ended first, unless it has taken over. */
  abort(): void {
    this.#newcomer?.end('lb4 was told to end meanwhile');
  }

  async #attempt(trigger: UpgradeTrigger): Promise<UpgradeReport> {
    try {
      return await this.#upgrade(trigger);
    } catch (error) {
      const { log } = this.#deps;
      const problems = error instanceof NewcomerFailed ? error.lines : [wordsOf(error)];
      const message = `the upgrade (${ASKED_BY[trigger]}) has failed, and lb4 goes on as before: ${problems.join('; ')}`;
      log.write('error', 'upgradeFailed', message, { trigger, problems: problems.length });
      return { ok: false, reason: 'failed', problems };
    } finally {
      this.#newcomer = undefined;
    }
  }

  async #upgrade(trigger: UpgradeTrigger): Promise<UpgradeReport> {
    const { balancer, admin, pid, log } = this.#deps;
    let ready: (Pick<Ready, 'version' | 'admin'> & { newcomer: Newcomer; pid: number }) | undefined;
    await balancer.handOver(async inheritance => {
      const newcomer = this.#deps.start(helloOf(pid, inheritance, admin.toHandOver()));
      this.#newcomer = newcomer;
      const started = `upgrade (${ASKED_BY[trigger]}): process ${newcomer.pid ?? 0} starts, to take over`;
      if (newcomer.pid !== undefined)
        log.write('info', 'upgradeStarted', started, { trigger, newcomer: newcomer.pid });
      const answer = await newcomer.ready;
      ready = { newcomer, pid: newcomer.pid ?? 0, version: answer.version, admin: answer.admin };
      return answer.sockets;
    });
    if (ready === undefined) throw new Error('it has not been started');
    const { newcomer, pid: successor, version } = ready;
    this.#successor = successor;
    // The service manager has to know it as the service before it reports anything.
    this.#deps.onHandedOver(successor);
    admin.handOver(ready.admin);
    newcomer.letGo();
    const message = `upgraded: lb4 ${version} has taken over as process ${successor}; this one drains`;
    log.write('info', 'upgraded', message, { trigger, newcomer: successor, version });
    this.#deps.drain();
    return { ok: true, pid: successor, version };
  }

  #whyNot(): string | undefined {
    const { balancer, pid } = this.#deps;
    if (this.#successor !== undefined) return `process ${this.#successor} has taken over already`;
    if (this.#underWay !== undefined) {
      const starting = this.#newcomer?.pid;
      const which = starting === undefined ? '' : ` (process ${starting})`;
      return `another lb4${which} is being started already`;
    }
    if (balancer.state !== 'running') return `lb4 is ${balancer.state}`;
    if (pid === 1)
      return 'lb4 is process 1 of a container, which ends with it: replace the container instead';
    return this.#deps.obstacle();
  }
}
