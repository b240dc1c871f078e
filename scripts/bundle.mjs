/**
 * Puts the compiled `lb4` command and its worker into few files, together with the packages they use:
 * dist/bundle/bin (docs/adr/0014-one-bundle.md).
 *
 * Place: after tsc, in `npm run build` and in scripts/setup.mjs. `bin` of package.json names the result. Tests import
 * the separate files, which tsc writes. The processes and the workers that they start run the bundle while it is current
 * (scripts/test.mjs): these start in half and a third of the time.
 * The files of the dashboard go beside it, uPlot among them.
 * Invariants:
 * - The bundle imports nothing but Node's own modules, its own files and koffi, which is a native addon.
 * - Names and line breaks are kept, so that the stack of a crash says where it was.
 * - The folder is as deep below the root as dist/src/cli, because version.ts looks for package.json from there.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'dist', 'bundle');
/** Of dist, what the bundle may be made of. */
const PARTS = ['bin', 'src', 'strategies', 'pool'];

/** Throws when esbuild is missing or reports an error. */
export async function bundle() {
  const { build } = await import('esbuild');
  rmSync(target, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['dist/bin/lb4.js', 'dist/src/host/worker-main.js'],
    entryNames: '[name]',
    outdir: join(target, 'bin'),
    bundle: true,
    // What a command imports only when it needs it (the Redis client) stays a file of its own.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ['koffi'],
    // Packages in CommonJS require Node's modules.
    banner: {
      js: "import { createRequire as createBundleRequire } from 'node:module'; const require = createBundleRequire(import.meta.url);",
    },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  const copied = await copyDashboard();
  writeFileSync(join(target, 'LICENSES.txt'), licencesOf([...Object.keys(metafile.inputs), ...copied]));
}

/** The files that the dashboard's page loads, and the paths they come from. */
async function copyDashboard() {
  const { DASHBOARD_SOURCES, withoutMap } = await import('../dist/src/admin/dashboard-files.js');
  mkdirSync(join(target, 'dashboard'), { recursive: true });
  for (const [source, name] of Object.entries(DASHBOARD_SOURCES)) {
    const text = withoutMap(readFileSync(join(root, source), 'utf8'));
    writeFileSync(join(target, 'dashboard', name), text);
  }
  return Object.keys(DASHBOARD_SOURCES);
}

/** Whether the bundle is as new as what it is made of: after tsc alone it is not. */
export function isBundleCurrent() {
  const made = statSync(join(target, 'LICENSES.txt'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const page = join(root, 'src', 'admin', 'dashboard');
  const parts = [
    ...PARTS.flatMap(folder => scriptsIn(join(root, 'dist', folder))),
    ...readdirSync(page).map(name => join(page, name)),
  ];
  return parts.every(file => statSync(file).mtimeMs <= made);
}

function scriptsIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter(name => name.endsWith('.js'))
    .map(name => join(folder, name));
}

/** The licence of each package that has a file in the bundle. */
function licencesOf(inputs) {
  const folders = inputs.flatMap(input => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? []);
  return [...new Set(folders)]
    .sort()
    .map(folder => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const file = readdirSync(join(root, folder)).find(each => /^licen[cs]e/i.test(each));
      const text = file === undefined ? '' : readFileSync(join(root, folder, file), 'utf8').trim();
      return `${name} ${version} (${license})\n\n${text}`.trim();
    })
    .join(`\n\n${'-'.repeat(80)}\n\n`)
    .concat('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (!existsSync(join(root, 'dist', 'bin', 'lb4.js'))) throw new Error('compile first: npm run build');
  await bundle();
}
