/**
 * Makes a fresh clone ready: installs the locked dependencies, compiles, bundles the command and tap. Needs only Node and
 * npm.
 *
 * Place: runs before `npm start` and `npm test`; a second call finds nothing to do and returns at once.
 * Two calls at the same time wait for each other, because `npm ci` starts by deleting node_modules.
 * Everything it and its children say goes to stderr: stdout belongs to the program that is started after it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const SOURCE_FOLDERS = ['bin', 'src', 'strategies', 'pool', 'test', 'bench', 'scripts'];
const LOCK = join(root, '.setup-lock');

/** Installs and builds what is not installed and built yet. */
export function setUp() {
  checkNode();
  lock();
  try {
    install();
    build();
  } finally {
    unlock();
  }
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(`lb4 needs Node 20.19 or later; this is ${process.versions.node}`);
}

function install() {
  const wanted = hash(
    ['package-lock.json'].map(file => readFileSync(join(root, file))),
    [process.version],
  );
  const mark = join(root, 'node_modules', '.lb4-setup');
  if (read(mark) === wanted) return;
  if (isLinked()) {
    say('node_modules is a link, and npm ci would empty the folder that it names: nothing is installed');
    return;
  }
  say('installing dependencies (npm ci)');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  run(process.execPath, [join('node_modules', 'tap', 'dist', 'esm', 'run.mjs'), 'build']);
  writeFileSync(mark, wanted);
}

function build() {
  const sources = SOURCE_FOLDERS.flatMap(folder => sourcesUnder(join(root, folder)));
  const wanted = hash(
    [
      ...['tsconfig.json', 'scripts/bundle.mjs', 'scripts/bundle-tap.mjs', 'package-lock.json'],
      ...dashboardFiles(),
    ].map(file => readFileSync(join(root, file))),
    sources.map(file => `${file} ${String(statSync(file).mtimeMs)} ${String(statSync(file).size)}`),
  );
  const mark = join(root, 'dist', '.lb4-build');
  if (read(mark) === wanted) return;
  say('compiling (tsc); takes about a minute, once');
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  run(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
  if (isLinked() && !existsSync(join(root, 'node_modules', 'esbuild'))) {
    say('no bundle: the linked node_modules has no esbuild; dist/bin/lb4.js is the same command');
  } else {
    run(process.execPath, [join('scripts', 'bundle.mjs')]);
    run(process.execPath, [join('scripts', 'bundle-tap.mjs')]);
  }
  writeFileSync(mark, wanted);
}

/** Worktrees may share one node_modules. */
function isLinked() {
  return lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink() === true;
}

/** What the bundle has a copy of, besides what tsc writes. */
function dashboardFiles() {
  const folder = join('src', 'admin', 'dashboard');
  return readdirSync(join(root, folder)).map(name => join(folder, name));
}

function sourcesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))
    .sort();
}

/** One setup at a time; a lock that a dead process has left behind is taken over. */
function lock() {
  for (let told = false; ; told = true) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      process.on('exit', unlock);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`cannot write to ${root}: ${error.message}`);
    }
    const owner = Number(read(LOCK));
    if (isAlive(owner)) {
      if (!told) say(`waiting for another setup (process ${owner}) to end`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    } else {
      rmSync(LOCK, { force: true });
    }
  }
}

function unlock() {
  if (read(LOCK) === String(process.pid)) rmSync(LOCK, { force: true });
}

function isAlive(pid) {
  // Between its creation and its writing the file is empty for a moment.
  if (pid === 0) return statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs > Date.now() - 2_000;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (error !== undefined) fail(`cannot run ${command}: ${error.message}`);
  if (status !== 0) fail(`${command} ${args.join(' ')} ended with ${String(status)}`);
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function hash(buffers, texts) {
  const sum = createHash('sha256');
  for (const part of [...buffers, ...texts]) sum.update(part).update('\0');
  return sum.digest('hex');
}

function say(text) {
  process.stderr.write(`lb4 setup: ${text}\n`);
}

function fail(text) {
  say(text);
  process.exit(1);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) setUp();
