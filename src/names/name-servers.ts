/**
 * The name servers of one resolv.conf, asked one after the other until one of them answers.
 *
 * Place: `dns-lookup.ts` asks. c-ares, a part of Node, sends the questions over sockets of its own: no question takes a
 * thread, and all of them can be cancelled at once. `dns.lookup` can do neither.
 * How:
 * - When a server has not answered for `NEXT_AFTER_MS`, the next one is asked too, or the same one again. The first
 *   answer counts, however late it comes.
 * - A server that fails or refuses is skipped at once.
 * - The next question goes first to the server that has answered last.
 * Invariants: `ask` never rejects, and ends within `DEADLINE_MS`; after `cancel` everything ends at once.
 */
import { systemCode } from '../errors.ts';
import { isSmallFileOrNone } from '../support/small-file.ts';
import type { SetTimer } from '../support/timer.ts';

export type Family = 4 | 6;

export type Answer =
  | { readonly kind: 'found'; readonly addresses: readonly string[] }
  /** There is no such name (ENOTFOUND), or it has no address of this family (ENODATA). */
  | { readonly kind: 'absent'; readonly code: string }
  /** No server has given an answer: ETIMEOUT, ESERVFAIL, EREFUSED, ECONNREFUSED; ECANCELLED. */
  | { readonly kind: 'failed'; readonly code: string };

/** The part of Node's `Resolver` that lb4 uses. */
export interface NameServer {
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
  cancel(): void;
}

export interface NameServersDeps {
  /** Default: Node's own. An undefined address stands for the servers that c-ares finds by itself. */
  readonly createServer?: (address: string | undefined) => NameServer;
  readonly setTimer: SetTimer;
}

/** As long as the C library waits for its first answer. */
const DEADLINE_MS = 5_000;
const NEXT_AFTER_MS = 500;
const QUESTIONS_PER_SERVER = 3;
const ABSENT = new Set(['ENOTFOUND', 'ENODATA']);
const TIMED_OUT = { kind: 'failed', code: 'ETIMEOUT' } as const;
const CANCELLED = { kind: 'failed', code: 'ECANCELLED' } as const;

export class NameServers {
  /** The server that has answered last comes first. */
  #servers: readonly NameServer[];
  readonly #setTimer: SetTimer;
  #isCancelled = false;

  constructor(addresses: readonly string[], { createServer = createCares, setTimer }: NameServersDeps) {
    const servers = addresses.length === 0 ? [undefined] : addresses;
    this.#servers = servers.map(address => createServer(address));
    this.#setTimer = setTimer;
  }

  ask(name: string, family: Family): Promise<Answer> {
    if (this.#isCancelled) return Promise.resolve(CANCELLED);
    return new Promise(resolve => {
      let queue = Array.from({ length: QUESTIONS_PER_SERVER }, () => this.#servers).flat();
      let open = 0;
      let isOver = false;
      let failure: Answer = TIMED_OUT;
      let cancelNext = (): void => undefined;
      const end = (answer: Answer): void => {
        isOver = true;
        cancelNext();
        cancelDeadline();
        resolve(answer);
      };
      const askNext = (): void => {
        cancelNext();
        const server = queue.shift();
        // Node passes on a cancel a moment later: a question asked in between would not be cancelled.
        if (server === undefined || this.#isCancelled) return;
        open += 1;
        void question(server, name, family).then(answer => {
          open -= 1;
          if (isOver) return;
          if (answer.kind !== 'failed') {
            this.#servers = [server, ...this.#servers.filter(other => other !== server)];
            end(answer);
          } else if (answer.code !== TIMED_OUT.code) {
            failure = answer;
            queue = this.#isCancelled ? [] : queue.filter(other => other !== server);
            if (queue.length + open === 0) end(failure);
            else askNext();
          }
        });
        cancelNext = this.#setTimer(askNext, NEXT_AFTER_MS);
      };
      const cancelDeadline = this.#setTimer(() => end(failure), DEADLINE_MS);
      askNext();
    });
  }

  cancel(): void {
    this.#isCancelled = true;
    for (const server of this.#servers) server.cancel();
  }
}

const nobody = (): Promise<string[]> =>
  Promise.reject(Object.assign(new Error('no name server'), { code: 'ECONNREFUSED' }));
const NO_SERVER: NameServer = { resolve4: nobody, resolve6: nobody, cancel: () => undefined };

async function question(server: NameServer, name: string, family: Family): Promise<Answer> {
  try {
    const addresses = await (family === 4 ? server.resolve4(name) : server.resolve6(name));
    return { kind: 'found', addresses };
  } catch (error) {
    const code = systemCode(error);
    return { kind: ABSENT.has(code) ? 'absent' : 'failed', code };
  }
}

/**
 * Files that c-ares reads on this thread whenever a resolver is made: from a FIFO or a device it would read for ever.
 * Node makes a resolver when `node:dns` is loaded.
 */
const READ_BY_CARES = ['resolv.conf', 'nsswitch.conf', 'host.conf', 'svc.conf'];

function createCares(address: string | undefined): NameServer {
  if (!READ_BY_CARES.every(file => isSmallFileOrNone(`/etc/${file}`))) return NO_SERVER;
  const { Resolver } = process.getBuiltinModule('node:dns/promises');
  // One question each: `ask` decides which server is asked again, and when.
  const resolver = new Resolver({ timeout: DEADLINE_MS, tries: 1 });
  // Node would drop the zone; c-ares, which reads resolv.conf by itself at first, keeps it.
  if (address === undefined || address.includes('%')) return resolver;
  try {
    resolver.setServers([address]);
  } catch {
    // Node does not understand this line of resolv.conf: the other servers count.
  }
  return resolver;
}
