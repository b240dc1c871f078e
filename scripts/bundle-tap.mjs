/**
 * Puts tap into one file for the compiled tests: dist/node_modules/@tapjs/bundle.
 *
 * Place: scripts/setup.mjs calls it. Node finds a package in dist/node_modules before the one in node_modules, so no
 * test names it. Every test file starts a process, and 300 small files of tap cost each of these 0.16 s of CPU.
 * Invariants: without the bundle the tests run as well. tap leaves frames below `@tapjs/` out of stacks: the bundle lies
 * below it, or a failed subtest would be shown in tap's code.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'dist', 'node_modules');

rmSync(target, { recursive: true, force: true });
const { build } = await import('esbuild');
await build({
  absWorkingDir: root,
  entryPoints: ['node_modules/tap/dist/esm/index.js'],
  outfile: join(target, '@tapjs', 'bundle', 'index.js'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  keepNames: true,
  // Packages in CommonJS require Node's modules.
  banner: {
    js: "import { createRequire as createBundleRequire } from 'node:module'; const require = createBundleRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
writePackage('@tapjs/bundle');
writePackage(
  'tap',
  "export * from '../@tapjs/bundle/index.js';\nexport { default } from '../@tapjs/bundle/index.js';\n",
);

function writePackage(name, code) {
  const folder = join(target, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name, type: 'module', exports: './index.js' }),
  );
  if (code !== undefined) writeFileSync(join(folder, 'index.js'), code);
}
