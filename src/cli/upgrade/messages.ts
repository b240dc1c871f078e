/**
 * What an lb4 and the one that replaces it say to each other.
 *
 * Place: `newcomer.ts` speaks for the older one, `predecessor.ts` for the newer one. They may be of different versions:
 * what a version does not know it leaves out, and another `protocol` ends the upgrade.
 * Course: hello →, then ← failed or ← ready, and letGo → after ready. All but hello go over the IPC channel that Node
 * opens between a process and its child. Hello has a pipe of its own: what Node has received over its channel is lost
 * when the other side dies before the first listener is there.
 */
import * as z from 'zod';
import type { Inheritance } from '../../model/inheritance.ts';
import type { HandedSockets } from '../../support/socket.ts';

export const PROTOCOL = 1;
/** In the environment of a process that is to take over: the process that has started it. */
export const FROM = 'LB4_UPGRADE_FROM';
/** After the standard streams and the channel: hello, and then the sockets. */
export const HELLO_FD = 4;
export const FIRST_FD = HELLO_FD + 1;

const fd = z.int().min(FIRST_FD);
/** Bigints are no JSON. */
const number = z.string().regex(/^\d+$/).transform(BigInt);

const sockets = z.object({
  key: z.string(),
  name: z.string(),
  fds: z.array(fd).min(1),
  isLent: z.boolean(),
  file: z.object({ path: z.string(), dev: number, ino: number }).optional(),
});

const change = z.object({
  upstream: z.string(),
  backend: z.string(),
  what: z.enum(['added', 'removed', 'weight', 'state']),
  configured: z.union([z.number(), z.string()]).optional(),
  now: z.union([z.number(), z.string()]).optional(),
  added: z.object({ weight: z.number(), maxSessions: z.number().optional(), backup: z.boolean() }).optional(),
});

const hello = z.object({
  kind: z.literal('hello'),
  protocol: z.literal(PROTOCOL),
  pid: z.int(),
  sockets: z.array(sockets),
  admin: z.array(sockets),
  /** Those that this version understands. */
  changes: z
    .array(z.unknown())
    .transform(changes => changes.flatMap(each => change.safeParse(each).data ?? [])),
});

const fromNewcomer = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('ready'),
    version: z.string(),
    /** The keys of what it has taken. */
    sockets: z.array(z.string()),
    admin: z.array(z.string()),
  }),
  z.object({ kind: z.literal('failed'), lines: z.array(z.string()) }),
]);

export type Hello = z.output<typeof hello>;
export type FromNewcomer = z.output<typeof fromNewcomer>;
export type Ready = Extract<FromNewcomer, { kind: 'ready' }>;
export const LET_GO = { kind: 'letGo' } as const;

/** A message to send, and the descriptors that go with it, in the order in which the child gets them. */
export interface Leaving {
  readonly message: object;
  readonly fds: readonly number[];
}

export function helloOf(pid: number, inheritance: Inheritance, admin: readonly HandedSockets[]): Leaving {
  const fds: number[] = [];
  const inChild = (each: HandedSockets): object => {
    const { file } = each;
    return {
      ...each,
      fds: each.fds.map(own => FIRST_FD - 1 + fds.push(own)),
      file: file && { path: file.path, dev: String(file.dev), ino: String(file.ino) },
    };
  };
  const message = {
    ...{ kind: 'hello', protocol: PROTOCOL, pid, changes: inheritance.changes },
    sockets: inheritance.sockets.map(inChild),
    admin: admin.map(inChild),
  };
  return { message, fds };
}

/** Undefined for anything else. */
export function parseHello(text: string): Hello | undefined {
  try {
    return hello.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** Undefined for anything else. */
export function parseFromNewcomer(message: unknown): FromNewcomer | undefined {
  return fromNewcomer.safeParse(message).data;
}

export function isLetGo(message: unknown): boolean {
  return z.object({ kind: z.literal(LET_GO.kind) }).safeParse(message).success;
}
