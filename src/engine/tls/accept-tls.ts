/**
 * Speaks TLS as a server with a client that was accepted, after what comes before it in the clear.
 *
 * Place: `EngineTls.accept`.
 * How: an opening looks at the client's bytes as gates do, by peeks, and takes only what is its own. What stays is the
 * handshake's.
 */
import type { ConnectionDeps } from '../node/connection-deps.ts';
import type { NodeConnection } from '../node/node-connection.ts';
import { TLSSocket } from 'node:tls';
import type { Cancel, PeekState } from '../engine.ts';
import type { EngineTls, ServerOpening, TlsFailure } from '../tls.ts';
import { parseClientHello } from '../../codec/tls-client-hello/index.ts';
import { factsOf, judgeClient } from './facts.ts';
import { CLOSED, RESET } from './failures.ts';
import { Handshake } from './handshake.ts';
import type { ServerTerms } from './server-terms.ts';

type Done = Parameters<EngineTls['accept']>[3];

/** What an opening is shown first; it may ask for more. */
const FIRST_LOOK_BYTES = 512;
/** More than this no opening gets. */
const MOST_BYTES = 64 * 1024;

export function acceptTls(
  client: NodeConnection,
  terms: ServerTerms,
  opening: ServerOpening | undefined,
  deps: ConnectionDeps,
  done: Done,
): Cancel {
  const accepting = new Accepting(client, terms, deps, done);
  if (opening === undefined) accepting.speakTls();
  else accepting.ask(opening, FIRST_LOOK_BYTES);
  return () => accepting.cancel();
}

class Accepting {
  readonly #client: NodeConnection;
  readonly #terms: ServerTerms;
  readonly #deps: ConnectionDeps;
  readonly #done: Done;
  #handshake: Handshake | undefined;
  #isOver = false;

  constructor(client: NodeConnection, terms: ServerTerms, deps: ConnectionDeps, done: Done) {
    this.#client = client;
    this.#terms = terms;
    this.#deps = deps;
    this.#done = done;
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#handshake === undefined) this.#client.reset();
    else this.#handshake.cancel();
  }

  ask(opening: ServerOpening, limitBytes: number): void {
    this.#client.peek(limitBytes, (bytes, state) => {
      if (!this.#isOver) this.#hear(opening, bytes, state, limitBytes);
    });
  }

  /** The handshake, once it is known which certificate it is for. */
  speakTls(): void {
    if (this.#terms.dependsOnName) this.#readHello(FIRST_LOOK_BYTES);
    else this.#shakeHands(undefined);
  }

  /** What is no hello is left to OpenSSL, which has the right alert for it. */
  #readHello(neededBytes: number): void {
    this.#client.peek(neededBytes, (bytes, state) => {
      if (this.#isOver) return;
      if (state === 'open' && bytes.length < neededBytes && neededBytes !== FIRST_LOOK_BYTES) return;
      const parsed = parseClientHello(bytes);
      if (parsed.kind !== 'incomplete') {
        this.#client.unwatch();
        this.#shakeHands(parsed.kind === 'hello' ? parsed.hello.serverName : undefined);
      } else if (state === 'reset') this.#fail(RESET);
      else if (state === 'end') this.#fail(CLOSED);
      else if (state === 'full' || parsed.bytes > neededBytes) this.#readHello(parsed.bytes);
    });
  }

  #shakeHands(serverName: string | undefined): void {
    const { clients } = this.#terms.settings;
    const options = this.#terms.optionsFor(serverName);
    this.#handshake = new Handshake(
      this.#client,
      {
        event: 'secure',
        open: carrier => new TLSSocket(carrier, options),
        ...(clients && { judge: (stream: TLSSocket) => judgeClient(stream, clients.isRequired) }),
      },
      this.#deps,
      result => {
        this.#isOver = true;
        if (!result.ok) this.#done(result);
        else {
          const facts = factsOf(result.stream, clients !== undefined);
          this.#done({ ok: true, connection: result.connection, facts });
        }
      },
    );
    this.#handshake.begin();
  }

  #hear(opening: ServerOpening, bytes: Uint8Array, state: PeekState, limitBytes: number): void {
    const client = this.#client;
    const step = opening.read(bytes);
    switch (step.kind) {
      case 'more':
        if (state === 'reset') this.#fail(RESET);
        else if (state === 'end') this.#fail(CLOSED);
        else if (step.bytes > MOST_BYTES) this.#fail({ reason: 'starttls', code: 'TOO_LONG' });
        else if (step.bytes > limitBytes) this.ask(opening, step.bytes);
        else if (state === 'full') this.#fail({ reason: 'starttls', code: 'TOO_LONG' });
        return;
      case 'again':
        client.take(step.take);
        client.write(step.answer);
        this.ask(opening, FIRST_LOOK_BYTES);
        return;
      case 'tls':
        client.take(step.take);
        if (step.answer !== undefined) client.write(step.answer);
        this.speakTls();
        return;
      case 'clear':
        client.unwatch();
        this.#isOver = true;
        this.#done({ ok: true, connection: client, facts: undefined });
        return;
      case 'refuse':
        this.#fail({ reason: 'starttls', code: step.code }, step.answer);
    }
  }

  #fail(failure: TlsFailure, answer?: Uint8Array): void {
    this.#isOver = true;
    if (failure === RESET) this.#client.reset();
    else this.#client.finish(answer);
    this.#done({ ok: false, failure });
  }
}
