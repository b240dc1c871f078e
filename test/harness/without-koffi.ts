import { isBuiltin } from 'node:module';

/** Arguments of Node with which koffi cannot be loaded, as if the optional dependency had not been installed. */
export const WITHOUT_KOFFI = [
  '--import',
  `data:text/javascript,${encodeURIComponent(`
    import Module from 'node:module';
    const resolve = Module._resolveFilename;
    Module._resolveFilename = function (name, ...rest) {
      if (name === 'koffi') throw Object.assign(new Error("Cannot find module 'koffi'"), { code: 'MODULE_NOT_FOUND' });
      return resolve.call(this, name, ...rest);
    };`)}`,
] as const;

/** The same, and without Node's own interface to the C library, where there is one. */
export const WITHOUT_FFI = [...WITHOUT_KOFFI, ...(isBuiltin('node:ffi') ? ['--no-experimental-ffi'] : [])];
