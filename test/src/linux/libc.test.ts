/** The C library: what it takes to have it, and the layouts of its structures. */
import { constants } from 'node:os';
import t from 'tap';

import * as abi from '../../../src/linux/abi.ts';
import { FFI_NAMES, loadLibc, type LibcSources } from '../../../src/linux/libc.ts';
import { errnoName, systemError } from '../../../src/linux/system-error.ts';
import { libcContract } from '../../contracts/libc.ts';
import { fakeNodeFfi } from '../../harness/fake-node-ffi.ts';

const X64 = { platform: 'linux', arch: 'x64' };
const FAKE_KOFFI = { load: () => ({ func: () => () => 0 }), errno: () => 0 };

const missing = (): never => {
  throw new Error("Cannot find module 'koffi'\nRequire stack: [...]");
};

void t.test('where the engine cannot be had, the reason is one line', t => {
  const places: readonly (readonly [LibcSources, string])[] = [
    [{ platform: 'darwin', arch: 'x64' }, 'it needs Linux, this is darwin'],
    [{ platform: 'win32', arch: 'arm64' }, 'it needs Linux, this is win32'],
    [{ ...X64, arch: 'riscv64' }, 'it knows x64 and arm64, this is riscv64'],
    [
      { ...X64, ffis: ['koffi'], requireModule: missing },
      "koffi cannot be loaded (Cannot find module 'koffi')",
    ],
  ];
  for (const [sources, reason] of places) t.strictSame(loadLibc(sources), { ok: false, reason });
  t.end();
});

void t.test(
  'koffi is asked for first, and node:ffi only where it is missing; neither gives both reasons',
  t => {
    const asked: string[] = [];
    const requireModule = (name: string): unknown => {
      asked.push(name);
      if (name === 'koffi') return FAKE_KOFFI;
      throw new Error('it may not be used');
    };
    t.match(loadLibc({ ...X64, ffis: ['koffi', 'node:ffi'], requireModule }), { libc: { ffi: 'koffi' } });
    t.strictSame(asked, ['koffi']);
    const neither = (name: string): unknown => (name === 'koffi' ? missing() : requireModule(name));
    t.strictSame(loadLibc({ ...X64, ffis: ['koffi', 'node:ffi'], requireModule: neither }), {
      ok: false,
      reason:
        "koffi cannot be loaded (Cannot find module 'koffi'), node:ffi cannot be loaded (it may not be used)",
    });
    t.end();
  },
);

void t.test('a node:ffi that reports no errors is not used', t => {
  const functions = { close: () => -1, __errno_location: () => 1n };
  const silent = { dlopen: () => ({ functions }), toArrayBuffer: () => new ArrayBuffer(4) };
  t.strictSame(loadLibc({ ...X64, ffis: ['node:ffi'], requireModule: () => silent }), {
    ok: false,
    reason: 'node:ffi cannot be loaded (it reports no errors)',
  });
  t.end();
});

void t.test(
  'of the warnings of Node only the one about node:ffi is kept back, and only while it is loaded',
  t => {
    const said: unknown[] = [];
    const warner = process as unknown as { emitWarning: (...of: unknown[]) => void };
    const { emitWarning } = warner;
    const listen = (warning: unknown): void => void said.push(String(warning));
    warner.emitWarning = listen;
    const requireModule = (): unknown => {
      process.emitWarning(
        'FFI is an experimental feature and might change at any time',
        'ExperimentalWarning',
      );
      process.emitWarning('something else', 'Warning');
      throw new Error('no');
    };
    loadLibc({ ...X64, ffis: ['node:ffi'], requireModule });
    t.equal(warner.emitWarning, listen, 'it is given back');
    warner.emitWarning = emitWarning;
    t.strictSame(said, ['something else']);
    t.end();
  },
);

void t.test('a koffi that is there but broken is a reason too', t => {
  t.match(loadLibc({ ...X64, ffis: ['koffi'], requireModule: () => ({}) }), {
    ok: false,
    reason: /^koffi cannot be loaded \(/,
  });
  const throwsText = (): never => {
    // Not everything that is thrown is an Error: a module in C may throw anything.
    const text: unknown = 'no such symbol';
    throw text;
  };
  t.strictSame(loadLibc({ ...X64, arch: 'arm64', ffis: ['koffi'], requireModule: throwsText }), {
    ok: false,
    reason: 'koffi cannot be loaded (no such symbol)',
  });
  t.end();
});

void t.test('every architecture is given its own layout of an event', t => {
  for (const [arch, layout] of [
    ['x64', { words: 3, dataWord: 1 }],
    ['arm64', { words: 4, dataWord: 2 }],
  ] as const) {
    const loaded = loadLibc({ ...X64, arch, requireModule: () => FAKE_KOFFI });
    t.strictSame(loaded.ok && loaded.libc.epollLayout, layout, arch);
    t.strictSame(abi.epollLayout(arch), layout);
  }
  t.equal(abi.epollLayout('ia32'), undefined);
  t.end();
});

for (const ffi of FFI_NAMES) {
  const loaded = loadLibc({ ffis: [ffi] });
  void t.test(`the C library over ${ffi}`, { skip: loaded.ok ? false : loaded.reason }, t => {
    if (loaded.ok) libcContract(t, loaded.libc);
    t.end();
  });
}

/** A Node that has node:ffi needs no stand-in for it; the threads and processes of the suite cannot have one. */
const koffi = FFI_NAMES.includes('node:ffi') ? undefined : loadLibc({ ffis: ['koffi'] });
const skipFake = koffi?.ok === true ? false : 'node:ffi itself is there, or koffi is not';
void t.test('the half of node:ffi, over a stand-in for it', { skip: skipFake }, t => {
  const loaded = loadLibc({ ffis: ['node:ffi'], requireModule: () => fakeNodeFfi() });
  t.ok(loaded.ok);
  if (loaded.ok) libcContract(t, loaded.libc, { isStandIn: true });
  t.end();
});

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const hasNodeFfi = major > 26 || (major === 26 && minor >= 9);
void t.test('a Node that has node:ffi tries both', t => {
  t.strictSame(FFI_NAMES, hasNodeFfi ? ['koffi', 'node:ffi'] : ['koffi']);
  if (hasNodeFfi && process.platform === 'linux') t.ok(loadLibc({ ffis: ['node:ffi'] }).ok);
  t.end();
});

void t.test('of two names of an error, the one that is looked for', t => {
  t.equal(errnoName(constants.errno.EWOULDBLOCK), 'EAGAIN');
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
