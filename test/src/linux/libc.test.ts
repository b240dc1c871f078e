/** The C library: what it takes to have it, and the layouts of its structures. */
import { constants } from 'node:os';
import t from 'tap';

import * as abi from '../../../src/linux/abi.ts';
import { loadLibc } from '../../../src/linux/libc.ts';
import { errnoName, systemError } from '../../../src/linux/system-error.ts';

const missing = (): never => {
  throw new Error("Cannot find module 'koffi'\nRequire stack: [...]");
};

void t.test('where the engine cannot be had, the reason is one line', t => {
  const places: readonly (readonly [Parameters<typeof loadLibc>, string])[] = [
    [['darwin', 'x64'], 'it needs Linux, this is darwin'],
    [['win32', 'arm64'], 'it needs Linux, this is win32'],
    [['linux', 'riscv64'], 'it knows x64 and arm64, this is riscv64'],
    [['linux', 'x64', missing], "koffi cannot be loaded (Cannot find module 'koffi')"],
  ];
  for (const [args, reason] of places) t.strictSame(loadLibc(...args), { ok: false, reason });
  t.end();
});

void t.test('a koffi that is there but broken is a reason too', t => {
  t.match(
    loadLibc('linux', 'x64', () => ({})),
    { ok: false, reason: /^koffi cannot be loaded \(/ },
  );
  const throwsText = (): never => {
    // Not everything that is thrown is an Error: a module in C may throw anything.
    const text: unknown = 'no such symbol';
    throw text;
  };
  t.strictSame(loadLibc('linux', 'arm64', throwsText), {
    ok: false,
    reason: 'koffi cannot be loaded (no such symbol)',
  });
  t.end();
});

void t.test('every architecture is given its own layout of an event', t => {
  const koffi = { load: () => ({ func: () => () => 0 }), errno: () => 0 };
  for (const [arch, layout] of [
    ['x64', { words: 3, dataWord: 1 }],
    ['arm64', { words: 4, dataWord: 2 }],
  ] as const) {
    const loaded = loadLibc('linux', arch, () => koffi);
    t.strictSame(loaded.ok && loaded.libc.epollLayout, layout, arch);
    t.strictSame(abi.epollLayout(arch), layout);
  }
  t.equal(abi.epollLayout('ia32'), undefined);
  t.end();
});

const loaded = loadLibc();
void t.test('a failing call returns -1 and tells why', { skip: loaded.ok ? false : loaded.reason }, t => {
  if (!loaded.ok) return;
  // Read at once: whatever runs in between may set it anew.
  const [result, errno] = [loaded.libc.close(-1), loaded.libc.errno()];
  t.equal(result, -1);
  t.equal(errnoName(errno), 'EBADF');
  t.equal(errnoName(constants.errno.EWOULDBLOCK), 'EAGAIN', 'of two names, the one that is looked for');
  t.equal(loaded.libc.recv(-1, Buffer.alloc(1), 1, 0), -1, 'also where the result has 64 bits');
  t.end();
});

void t.test('errors look like those of Node', t => {
  t.match(systemError('bind', 98), {
    message: 'bind EADDRINUSE',
    code: 'EADDRINUSE',
    errno: -98,
    syscall: 'bind',
  });
  t.equal(errnoName(4095), 'errno 4095');
  t.end();
});
