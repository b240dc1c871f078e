/**
 * Losing what the network brings to one socket: a classic BPF filter on its descriptor drops TCP segments before
 * the kernel looks at them. Needs no privileges (SO_ATTACH_FILTER, socket(7)).
 *
 * Place: for tests of the epoll engine, on its descriptors or on those of Node's sockets, and for backends that fall
 * silent; on a listening socket it loses SYNs. Linux with koffi only.
 */
import { createRequire } from 'node:module';
import type { Server, Socket } from 'node:net';
import type * as Koffi from 'koffi';

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;

const LOAD_FLAGS = [0x30, 0, 0, 13] as const;
/** FIN or RST: skips the next instruction. */
const IS_END = [0x45, 1, 0, 0x05] as const;
const DROP = [0x06, 0, 0, 0] as const;
const PASS = [0x06, 0, 0, 0xffff] as const;

const FILTERS = {
  everything: [DROP],
  /** Acknowledgements and data; FIN and RST pass. */
  allButEnds: [LOAD_FLAGS, IS_END, DROP, PASS],
} as const;

/** Drops segments that arrive on the socket, until the result is called. */
export function lose(fd: number, what: keyof typeof FILTERS): () => void {
  const koffi: typeof Koffi = createRequire(import.meta.url)('koffi');
  const setsockopt = koffi.load(null).func('int setsockopt(int, int, int, void *, unsigned int)');
  const filter = FILTERS[what];
  const program = Buffer.alloc(8 * filter.length);
  filter.forEach(([code, whenTrue, whenFalse, value], i) => {
    program.writeUInt16LE(code, 8 * i);
    program.writeUInt8(whenTrue, 8 * i + 2);
    program.writeUInt8(whenFalse, 8 * i + 3);
    program.writeUInt32LE(value, 8 * i + 4);
  });
  const sockFprog = Buffer.alloc(16);
  sockFprog.writeUInt16LE(filter.length);
  sockFprog.writeBigUInt64LE(koffi.address(program), 8);
  const set = (option: number): void => {
    if (setsockopt(fd, SOL_SOCKET, option, sockFprog, sockFprog.length) !== 0)
      throw new Error(`setsockopt ${option} failed with errno ${koffi.errno()}`);
  };
  set(SO_ATTACH_FILTER);
  return () => set(SO_DETACH_FILTER);
}

/** The descriptor of one of Node's sockets. */
export function descriptorOf(socket: Socket | Server): number {
  const handle = (socket as unknown as { readonly _handle: { readonly fd: number } | null })._handle;
  if (handle === null) throw new Error('the socket is closed');
  return handle.fd;
}
