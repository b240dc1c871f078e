/**
 * `npm run bench -- ffi`: nanoseconds per system call, over each FFI that this Node can load (src/linux/libc.ts).
 *
 * Place: a program of its own beside the scenarios: it measures no balancer. `node26 dist/bench/run.js ffi` measures
 * another Node.
 * How: calls that the kernel answers at once, so that the way there is most of their time. All rows take turns in short
 * batches, and the quickest batch of each counts: whatever disturbs the machine only makes others slower.
 */
import { parseArgs } from 'node:util';

import * as abi from '../../src/linux/abi.ts';
import { FFI_NAMES, loadLibc, type FfiName, type Libc } from '../../src/linux/libc.ts';
import { EAGAIN } from '../../src/linux/system-error.ts';
import { renderFfiTable, type FfiRow } from './ffi-table.ts';

export const USAGE = `usage: npm run bench -- ffi
Prints nanoseconds per call, with koffi and with node:ffi where this Node has it.
`;

/** There are none: undefined when help was asked for. Throws an Error whose message names what is wrong. */
export function parseFfiOptions(args: readonly string[]): object | undefined {
  const { values } = parseArgs({ args: [...args], options: { help: { type: 'boolean', default: false } } });
  return values.help ? undefined : {};
}

/** Calls in a batch, and batches before those that count, and those that do. */
export interface FfiEffort {
  readonly batch: number;
  readonly warmUps: number;
  readonly batches: number;
}

const FULL: FfiEffort = { batch: 10_000, warmUps: 10, batches: 60 };
const MESSAGE_BYTES = 100;

interface Call {
  readonly name: string;
  readonly ffi: FfiName;
  run(times: number): void;
  bestNs: number;
}

/** Throws where there is no FFI. */
export function measureFfi(
  now: () => number,
  say: (text: string) => void,
  { batch: size, warmUps, batches }: FfiEffort = FULL,
): string {
  const calls: Call[] = [];
  const close: (() => void)[] = [];
  for (const ffi of FFI_NAMES) {
    const loaded = loadLibc({ ffis: [ffi] });
    if (!loaded.ok) {
      say(`without ${ffi}: ${loaded.reason}`);
      continue;
    }
    const { rows, end } = callsOf(loaded.libc);
    calls.push(...rows);
    close.push(end);
  }
  if (calls.length === 0) throw new Error('there is no FFI here');
  try {
    for (let batch = -warmUps; batch < batches; batch++) {
      for (const call of calls) {
        const start = now();
        call.run(size);
        if (batch >= 0) call.bestNs = Math.min(call.bestNs, ((now() - start) * 1e6) / size);
      }
    }
  } finally {
    for (const end of close) end();
  }
  return renderFfiTable(process.version, rowsOf(calls));
}

/** Each function is of its own, as in the engine: one place in the code, one kind of argument. */
function callsOf(libc: Libc): { readonly rows: Call[]; readonly end: () => void } {
  const fds = Buffer.alloc(8);
  const type = abi.SOCK_STREAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC;
  if (libc.socketpair(abi.AF_UNIX, type, 0, fds) < 0) throw new Error('no sockets are left');
  const [one, other] = [fds.readInt32LE(0), fds.readInt32LE(4)];
  const epollFd = libc.epoll_create1(abi.EPOLL_CLOEXEC);
  const events = new Uint8Array(512 * 4 * libc.epollLayout.words);
  const buffer = Buffer.allocUnsafeSlow(64 * 1024);
  libc.epoll_ctl(epollFd, abi.EPOLL_CTL_ADD, one, events);
  let failed = 0;
  const runs: Readonly<Record<string, (times: number) => void>> = {
    'close(-1)': times => {
      for (let i = 0; i < times; i++) libc.close(-1);
    },
    'shutdown(-1, 1)': times => {
      for (let i = 0; i < times; i++) libc.shutdown(-1, abi.SHUT_WR);
    },
    'fcntl(fd, F_GETFL, 0)': times => {
      for (let i = 0; i < times; i++) libc.fcntl(one, abi.F_GETFL, 0);
    },
    'read(fd, buffer, 64 KiB), nothing there': times => {
      for (let i = 0; i < times; i++) libc.read(one, buffer, buffer.length);
    },
    'recv(fd, buffer, 64 KiB, 0), nothing there': times => {
      for (let i = 0; i < times; i++) libc.recv(one, buffer, buffer.length, 0);
    },
    [`send of ${String(MESSAGE_BYTES)} bytes, recv of them`]: times => {
      for (let i = 0; i < times; i++) {
        libc.send(other, buffer, MESSAGE_BYTES, abi.MSG_NOSIGNAL);
        libc.recv(one, buffer, buffer.length, 0);
      }
    },
    'epoll_wait(fd, events, 512, 0), no event': times => {
      for (let i = 0; i < times; i++) libc.epoll_wait(epollFd, events, 512, 0);
    },
    'epoll_ctl(fd, ADD, fd, event), there already': times => {
      for (let i = 0; i < times; i++) libc.epoll_ctl(epollFd, abi.EPOLL_CTL_ADD, one, events);
    },
    'splice(fd, null, -1, null, 64 KiB, 0)': times => {
      for (let i = 0; i < times; i++) libc.splice(one, null, -1, null, buffer.length, 0);
    },
    'errno()': times => {
      for (let i = 0; i < times; i++) if (libc.errno() === EAGAIN) failed += 1;
    },
  };
  return {
    rows: Object.entries(runs).map(([name, run]) => ({ name, ffi: libc.ffi, run, bestNs: Infinity })),
    end: () => {
      for (const fd of [one, other, epollFd]) libc.close(fd);
      if (failed < 0) throw new Error('never: the count keeps errno() from being left out');
    },
  };
}

function rowsOf(calls: readonly Call[]): FfiRow[] {
  const names = [...new Set(calls.map(({ name }) => name))];
  return names.map(name => ({
    name,
    ns: Object.fromEntries(calls.filter(call => call.name === name).map(({ ffi, bestNs }) => [ffi, bestNs])),
  }));
}
