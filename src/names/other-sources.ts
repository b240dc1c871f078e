/**
 * Names from the system's other sources: mDNS, LDAP, systemd's, and all that nsswitch.conf lists besides the hosts file
 * and DNS.
 *
 * Place: `Names` asks last, and only where there are such sources.
 * Why a program (`getent`, a part of the C library): only the C library can ask these sources. It blocks a thread for
 * as long as they take, and then the end of the process, too; a program can be ended. It gets the sources as arguments,
 * so it does not ask DNS again.
 * Invariants: never rejects; at most `MOST_AT_A_TIME` run; each ends within `LIMIT_MS`; after `cancel` none runs.
 */
import { execFile, type ChildProcess } from 'node:child_process';
import { isIP } from 'node:net';

const LIMIT_MS = 5_000;
const MOST_AT_A_TIME = 4;
const MOST_OUTPUT_BYTES = 64 * 1024;

export class OtherSources {
  readonly #program: string;
  readonly #running = new Set<ChildProcess>();
  readonly #waiting: (() => void)[] = [];
  #isCancelled = false;

  constructor(program = 'getent') {
    this.#program = program;
  }

  /** The addresses that `sources` have for a name; empty also when the program is missing or late. */
  async lookup(name: string, sources: readonly string[]): Promise<readonly string[]> {
    if (this.#running.size >= MOST_AT_A_TIME) await new Promise<void>(resolve => this.#waiting.push(resolve));
    if (this.#isCancelled) return [];
    try {
      return await this.#run(['-s', `hosts:${sources.join(' ')}`, 'ahosts', name]);
    } finally {
      this.#waiting.shift()?.();
    }
  }

  cancel(): void {
    this.#isCancelled = true;
    for (const child of this.#running) child.kill('SIGKILL');
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  #run(args: readonly string[]): Promise<readonly string[]> {
    return new Promise(resolve => {
      const limits = { timeout: LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: MOST_OUTPUT_BYTES } as const;
      const child = execFile(this.#program, [...args], limits, (error, stdout) => {
        this.#running.delete(child);
        resolve(error === null ? addressesOf(stdout) : []);
      });
      this.#running.add(child);
    });
  }
}

/** The first word of each line, once each. */
function addressesOf(output: string): readonly string[] {
  const words = output.split('\n').map(line => line.split(/\s/)[0] ?? '');
  return [...new Set(words)].filter(word => isIP(word) !== 0);
}
