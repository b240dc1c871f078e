/**
 * Asks a running lb4: finds it, sends one request, reads the answer.
 *
 * Place: commands such as `lb4 status`. Without `--admin` and `LB4_ADMIN` it looks for the unix socket of the instance.
 */
import { existsSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { systemCode, wordsOf } from '../../errors.ts';
import { parseAddress, formatAddress, type Address } from '../../support/address.ts';
import { readSmallFile } from '../../support/small-file.ts';
import { isTrusted, socketPaths, thisPlace } from '../admin-places.ts';

/** The options that every client command has. */
export interface ClientOptions {
  readonly name?: string;
  readonly admin?: string;
  readonly adminTokenFile?: string;
}

/** Ends the command, with a sentence for people. */
export class ClientError extends Error {
  readonly isUsage: boolean;
  /** No lb4 is there. */
  readonly isGone: boolean;
  /** The connection ended before the answer: perhaps lb4 has ended, perhaps not. */
  readonly isCut: boolean;
  readonly status: number | undefined;

  constructor(message: string, options: ClientErrorOptions = {}) {
    super(message, { cause: options.cause });
    // What the API finds wrong with a request was wrong in the command.
    this.isUsage = options.isUsage === true || options.status === 400;
    this.isGone = options.isGone === true;
    this.isCut = options.isCut === true;
    this.status = options.status;
  }
}

interface ClientErrorOptions {
  readonly isUsage?: boolean;
  readonly isGone?: boolean;
  readonly isCut?: boolean;
  readonly status?: number;
  readonly cause?: unknown;
}

export type RequestMethod = 'GET' | 'PUT' | 'PATCH' | 'POST' | 'DELETE';

/** The longest that an answer may take, unless the command says otherwise. */
export const ANSWER_MS = 30_000;

interface Request {
  readonly method: RequestMethod;
  readonly path: string;
  readonly body: unknown;
  readonly withinMs: number;
}

export class AdminClient {
  readonly #options: ClientOptions;
  readonly #env: NodeJS.ProcessEnv;
  #target: Address | undefined;
  #token: string | undefined;

  constructor(options: ClientOptions, env: NodeJS.ProcessEnv = process.env) {
    this.#options = options;
    this.#env = env;
  }

  /** Resolves with the answer; throws a `ClientError` for a problem. */
  async ask(
    method: RequestMethod,
    path: string,
    body?: unknown,
    { withinMs = ANSWER_MS }: { readonly withinMs?: number } = {},
  ): Promise<unknown> {
    const target = (this.#target ??= this.#find());
    const { status, text } = await this.#send(target, { method, path, body, withinMs });
    let answer: unknown;
    try {
      answer = text === '' ? undefined : JSON.parse(text);
    } catch {
      throw new ClientError(`${formatAddress(target)} does not answer as lb4 does`);
    }
    if (status < 400) return answer;
    throw new ClientError(detailOf(answer) ?? `${formatAddress(target)} answers with status ${status}`, {
      status,
    });
  }

  #find(): Address {
    const { admin, name } = this.#options;
    const given = admin ?? nonEmpty(this.#env['LB4_ADMIN']);
    if (given !== undefined) {
      const text = given.replace(/^http:\/\//, '').replace(/(?<!unix:.*)\/$/, '');
      const parsed = parseAddress(text.startsWith(':') ? `127.0.0.1${text}` : text);
      if (parsed.ok) return parsed.address;
      const option = admin === undefined ? 'LB4_ADMIN' : '--admin';
      throw new ClientError(`${option}: expected host:port, [v6]:port or unix:/path, got ${given}`, {
        isUsage: true,
      });
    }
    const instance = name ?? nonEmpty(this.#env['LB4_NAME']) ?? 'default';
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(instance))
      throw new ClientError(`--name: expected the name of an instance, got ${instance}`, { isUsage: true });
    const paths = socketPaths(instance, thisPlace());
    const found = paths.find(path => existsSync(path) && isTrusted(path, thisPlace()));
    if (found !== undefined) return { kind: 'unix', path: found };
    const where = paths.join(', ');
    throw new ClientError(
      `no lb4 named ${instance} runs here: there is no socket at ${where}; --name and --admin ask another one`,
      { isGone: true },
    );
  }

  /** Read when it is needed: a unix socket needs none. */
  #tokenFor(target: Address): string | undefined {
    const file = this.#options.adminTokenFile ?? nonEmpty(this.#env['LB4_ADMIN_TOKEN_FILE']);
    if (target.kind === 'unix' || file === undefined) return undefined;
    try {
      return (this.#token ??= readSmallFile(file).trim());
    } catch (error) {
      throw new ClientError(`cannot read the token file ${file}: ${wordsOf(error)}`, { cause: error });
    }
  }

  #send(
    target: Address,
    { method, path, body, withinMs }: Request,
  ): Promise<{ status: number; text: string }> {
    const token = this.#tokenFor(target);
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const where =
      target.kind === 'unix' ? { socketPath: target.path } : { host: target.host, port: target.port };
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => reject(unreachable(target, error));
      const request = httpRequest(
        {
          ...where,
          method,
          path,
          timeout: withinMs,
          agent: false,
          headers: {
            accept: 'application/json',
            ...(target.kind === 'unix' ? { host: 'localhost' } : {}),
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
          },
        },
        response => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          response.once('error', fail);
          response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      request.once('timeout', () =>
        request.destroy(new Error(`no answer within ${Math.round(withinMs / 100) / 10} s`)),
      );
      request.once('error', fail);
      request.end(payload);
    });
  }
}

function unreachable(target: Address, error: unknown): ClientError {
  const code = systemCode(error);
  const address = formatAddress(target);
  if (code === 'ECONNREFUSED' || code === 'ENOENT')
    return new ClientError(`no lb4 answers at ${address} (${code})`, { isGone: true, cause: error });
  if (code === 'EACCES')
    return new ClientError(`${address} belongs to another user: run the command as that user, or as root`);
  const options = { isCut: code === 'ECONNRESET' || code === 'EPIPE', cause: error };
  return new ClientError(`cannot ask ${address}: ${wordsOf(error) || code}`, options);
}

function detailOf(answer: unknown): string | undefined {
  const isProblem = typeof answer === 'object' && answer !== null && 'detail' in answer;
  return isProblem && typeof answer.detail === 'string' ? answer.detail : undefined;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim();
}
