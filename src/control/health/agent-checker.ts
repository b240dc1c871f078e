/**
 * Asks the agents of one upstream's backends for their state, and passes the answers on.
 *
 * Place: control, beside the health checker, with the same schedule. An agent that cannot be reached, or that does not
 * answer in time, is not an error (as with HAProxy): the backend keeps its agent's last answer.
 * Invariants: an answer is one whole line, ended by a line end or by the end of the connection, of at most 1 KiB.
 */
import type { AgentConfig } from '../../config/schema/schema.ts';
import { AddressWalk } from '../../engine/address-walk.ts';
import type { Cancel } from '../../engine/engine.ts';
import type { Address } from '../../support/address.ts';
import type { SetTimer } from '../../support/timer.ts';
import { parseAgentAnswer, type AgentAnswer } from './agent-answer.ts';
import { startAttempt } from './attempt.ts';
import { checkAddresses, type CheckPlace } from './check-address.ts';
import { CheckSchedule } from './check-schedule.ts';
import { dial, type DialDeps } from './dial.ts';
import { leave } from './probe-socket.ts';

const LINE_LIMIT = 1024;
const JITTER = 5;

export interface AgentSettings extends CheckPlace {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Text sent once connected. */
  readonly send?: string | undefined;
}

export interface AgentCheckerDeps {
  now(): number;
  random(): number;
  readonly openSocket: DialDeps['openSocket'];
  readonly setTimer: SetTimer;
  /** The addresses of a backend now; none while its name has not been resolved. */
  addressesOf(backend: string): readonly Address[];
  /** An agent has answered; `{}` when no word of the answer means anything. */
  onAnswer(backend: string, answer: AgentAnswer): void;
}

/** The configuration's settings, as the checker takes them. */
export function agentSettings({ interval, timeout, send, address, port }: AgentConfig): AgentSettings {
  return { intervalMs: interval, timeoutMs: timeout, send, address, port };
}

export class AgentChecker {
  readonly #settings: AgentSettings;
  readonly #deps: AgentCheckerDeps;
  readonly #schedule: CheckSchedule;
  readonly #places = new Map<string, AddressWalk>();

  constructor(settings: AgentSettings, deps: AgentCheckerDeps) {
    this.#settings = settings;
    this.#deps = deps;
    this.#schedule = new CheckSchedule(
      { intervalMs: settings.intervalMs, jitter: JITTER },
      {
        random: () => deps.random(),
        setTimer: deps.setTimer,
        begin: (backend, over) => this.#begin(backend, over),
      },
    );
  }

  /** Begins to ask the agent of a backend, at once. Without effect while it is asked already. */
  add(backend: string): void {
    if (!this.#schedule.has(backend)) this.#places.set(backend, new AddressWalk(() => this.#deps.now()));
    this.#schedule.add(backend);
  }

  /** Stops asking; no answer follows. Idempotent. */
  remove(backend: string): void {
    this.#schedule.remove(backend);
    this.#places.delete(backend);
  }

  /** Removes all backends. */
  stop(): void {
    this.#schedule.stop();
    this.#places.clear();
  }

  #begin(backend: string, over: (waitMs: number) => void): Cancel {
    const { intervalMs } = this.#settings;
    const addresses = this.#places.get(backend);
    addresses?.update(checkAddresses(this.#settings, this.#deps.addressesOf(backend)));
    if (addresses === undefined || addresses.isEmpty) {
      over(intervalMs);
      return () => undefined;
    }
    return this.#ask(addresses, line => {
      if (line !== undefined) this.#deps.onAnswer(backend, parseAgentAnswer(line));
      over(intervalMs);
    });
  }

  /** `done` receives a line, or undefined when none came. */
  #ask(addresses: AddressWalk, done: (line: string | undefined) => void): Cancel {
    const { timeoutMs, send } = this.#settings;
    const { openSocket } = this.#deps;
    const { setTimer } = this.#deps;
    return startAttempt<string | undefined>({ timeoutMs, setTimer, done }, settle => {
      let text = '';
      let isAnswered = false;
      const abandon = dial({ addresses }, { timeoutMs, openSocket, setTimer }, dialled => {
        if (!dialled.ok) {
          settle(undefined);
          return;
        }
        const { socket } = dialled;
        if (send !== undefined) socket.write(send);
        socket.on('data', chunk => {
          if (isAnswered) return;
          text += chunk.toString('utf8').slice(0, LINE_LIMIT + 1 - text.length);
          const isWhole = /[\r\n]/.test(text);
          if (!isWhole && text.length <= LINE_LIMIT) return;
          isAnswered = true;
          leave(socket, { setTimer, timeoutMs });
          settle(isWhole ? text : undefined);
        });
        socket.on('end', () => settle(text === '' ? undefined : text));
        socket.on('error', () => settle(undefined));
      });
      return { abandon, late: () => undefined };
    });
  }
}
