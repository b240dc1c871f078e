/**
 * node:ffi as far as lb4 uses it, over koffi: so that its half of the C library is tested on a Node that lacks it.
 *
 * Place: for test/src/linux/libc.test.ts. Linux with koffi only.
 */
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

const TYPES: Readonly<Record<string, string>> = {
  int32: 'int32_t',
  uint32: 'uint32_t',
  int64: 'int64_t',
  uint64: 'uint64_t',
  pointer: 'void *',
  void: 'void',
};

type Call = (...args: readonly unknown[]) => unknown;

interface Signature {
  readonly arguments: readonly string[];
  readonly return: string;
}

/** Throws where there is no koffi. */
export function fakeNodeFfi(): unknown {
  const koffi: typeof Koffi = createRequire(import.meta.url)('koffi');
  const library = koffi.load(null);
  const errno = new Int32Array(1);
  const typeOf = (name: string): string => {
    const type = TYPES[name];
    if (type === undefined) throw new TypeError(`Unsupported type ${name}`);
    return type;
  };
  const functionOf = (name: string, { arguments: types, return: result }: Signature): Call => {
    if (name === '__errno_location') return () => 1n;
    const call = library.func(name, typeOf(result), types.map(typeOf)) as Call;
    return (...args) => {
      if (args.length !== types.length) throw new TypeError('Invalid argument count');
      const value = call(...args);
      errno[0] = koffi.errno();
      return result === 'int64' ? BigInt(value as number) : value;
    };
  };
  return {
    dlopen: (_path: null, signatures: Readonly<Record<string, Signature>>) => ({
      functions: Object.fromEntries(
        Object.entries(signatures).map(([name, signature]) => [name, functionOf(name, signature)]),
      ),
    }),
    getRawPointer: (buffer: Uint8Array) => koffi.address(buffer),
    toArrayBuffer: () => errno.buffer,
  };
}
