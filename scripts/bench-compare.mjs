/**
 * `npm run bench:compare -- COMMIT [options of npm run bench]`: builds that commit beside this clone and measures it in
 * the same interleaved rounds as the code at hand (bench/README.md).
 *
 * The build stays in node_modules/.cache, by commit, so a second run finds it. Dependencies are this clone's, unless
 * the commit locks others.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const USAGE = 'usage: npm run bench:compare -- COMMIT [options and scenarios of npm run bench]\n';

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || name.startsWith('-')) {
  process.stderr.write(USAGE);
  process.exit(2);
}
const commit = run('git', ['rev-parse', '--verify', '--quiet', `${name}^{commit}`], ROOT).trim();
setUp();
const folder = join(ROOT, 'node_modules', '.cache', 'lb4-bench', commit);
if (!existsSync(folder)) build(folder);
process.argv.splice(2, Infinity, '--before', folder, ...rest);
await import('../dist/bench/run.js');

function build(target) {
  process.stderr.write(`bench: compiling ${commit.slice(0, 9)}\n`);
  const draft = `${target}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  const archive = run('git', ['archive', '--format=tar', commit], ROOT, 'buffer');
  run('tar', ['-x'], draft, 'utf8', archive);
  const [theirs, ours] = [draft, ROOT].map(folder => readFileSync(join(folder, 'package-lock.json'), 'utf8'));
  if (theirs !== ours) run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], draft);
  run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json'], draft);
  renameSync(draft, target);
}

/** What the program prints; ends this one where it fails. */
function run(command, args, cwd, encoding = 'utf8', input = undefined) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding,
    input,
    maxBuffer: 1 << 30,
  });
  if (status === 0) return stdout;
  const why =
    error?.message ?? (String(stderr).trim() || String(stdout).trim() || `it ended with ${String(status)}`);
  process.stderr.write(`bench: ${command} ${args.join(' ')}: ${why}\n`);
  process.exit(1);
}
