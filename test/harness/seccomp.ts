/**
 * A Node process in which one system call fails with EPERM, as under a container's seccomp profile.
 *
 * How: a preloaded module installs the filter through koffi (PR_SET_NO_NEW_PRIVS, then PR_SET_SECCOMP, prctl(2))
 * before the program's own code runs; threads that it starts later inherit it. A child process inherits it too.
 * Place: for tests of what the engine and the command line do where a call is forbidden. Linux with koffi only.
 */
import { createRequire } from 'node:module';

import { runProgram, type Ran } from './programs.ts';

type Numbers = Readonly<Record<string, number>>;

/** asm/unistd.h; AUDIT_ARCH of linux/audit.h. */
const ARCHITECTURES: Readonly<Record<string, { readonly audit: number; readonly calls: Numbers }>> = {
  x64: {
    audit: 0xc000003e,
    calls: {
      connect: 42,
      sendto: 44,
      recvfrom: 45,
      shutdown: 48,
      bind: 49,
      listen: 50,
      getsockname: 51,
      setsockopt: 54,
      getsockopt: 55,
      splice: 275,
      accept4: 288,
    },
  },
  arm64: {
    audit: 0xc00000b7,
    calls: {
      splice: 76,
      bind: 200,
      listen: 201,
      connect: 203,
      getsockname: 204,
      sendto: 206,
      recvfrom: 207,
      setsockopt: 208,
      getsockopt: 209,
      shutdown: 210,
      accept4: 242,
    },
  },
};

export type ForbiddenCall =
  | 'connect'
  | 'sendto'
  | 'recvfrom'
  | 'shutdown'
  | 'bind'
  | 'listen'
  | 'getsockname'
  | 'setsockopt'
  | 'getsockopt'
  | 'splice'
  | 'accept4';

/** Ends the process when the filter cannot be installed. */
const NO_FILTER = 86;

/** Arguments for `node` that forbid the call in the process; undefined where no such filter can be made. */
export function nodeArgsWithout(call: ForbiddenCall | 'none'): string[] | undefined {
  const architecture = process.platform === 'linux' ? ARCHITECTURES[process.arch] : undefined;
  if (architecture === undefined) return undefined;
  if (call === 'none') return [];
  const require = createRequire(import.meta.url);
  let koffi: string;
  try {
    koffi = require.resolve('koffi');
  } catch {
    return undefined;
  }
  const preload = program(koffi, architecture.audit, architecture.calls[call] ?? -1);
  return ['--import', `data:text/javascript,${encodeURIComponent(preload)}`];
}

/** Runs `node ...args` without the call; undefined where the system has no such filters. */
export async function runWithoutCall(
  call: ForbiddenCall | 'none',
  args: readonly string[],
): Promise<Ran | undefined> {
  const before = nodeArgsWithout(call);
  if (before === undefined) return undefined;
  const ran = await runProgram(process.execPath, [...before, ...args], { timeoutMs: 20_000 });
  return ran.code === NO_FILTER ? undefined : ran;
}

/** seccomp_data: the call's number at 0, the architecture at 4. */
function program(koffi: string, audit: number, call: number): string {
  return `
    import { createRequire } from 'node:module';
    const koffi = createRequire('file:///')(${JSON.stringify(koffi)});
    const prctl = koffi.load(null).func('int prctl(int, unsigned long, void *, unsigned long, unsigned long)');
    const [load, equal, give] = [0x20, 0x15, 0x06];
    const [allow, eperm] = [0x7fff0000, 0x00050001];
    const filter = [
      [load, 0, 0, 4], [equal, 0, 3, ${audit}],
      [load, 0, 0, 0], [equal, 0, 1, ${call}], [give, 0, 0, eperm],
      [give, 0, 0, allow],
    ];
    const code = Buffer.alloc(8 * filter.length);
    filter.forEach(([instruction, whenTrue, whenFalse, value], i) => {
      code.writeUInt16LE(instruction, 8 * i);
      code.writeUInt8(whenTrue, 8 * i + 2);
      code.writeUInt8(whenFalse, 8 * i + 3);
      code.writeUInt32LE(value, 8 * i + 4);
    });
    const sockFprog = Buffer.alloc(16);
    sockFprog.writeUInt16LE(filter.length);
    sockFprog.writeBigUInt64LE(BigInt(koffi.address(code)), 8);
    if (prctl(38, 1, null, 0, 0) !== 0 || prctl(22, 2, sockFprog, 0, 0) !== 0) process.exit(${NO_FILTER});`;
}
