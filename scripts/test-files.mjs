/**
 * Finds test files: all, those below a folder, and those that use a certain helper.
 *
 * Place: `npm test` and `npm run verify` choose by it what to run, so that a new file is never forgotten.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

const TESTS = join('dist', 'test');
/** These come first: they have the longest files, and the others fill up the time beside the last of them. */
const LONGEST = ['e2e', 'sim', 'integration'].map(folder => join(TESTS, folder));

/** Every test file there is. */
export function allTests() {
  const rank = file => (LONGEST.some(folder => isBelow(file, folder)) ? 0 : 1);
  return testsIn(TESTS).sort((a, b) => rank(a) - rank(b));
}

/** The test files below a folder, or the file itself; the others in a folder are helpers. */
export function testsIn(path) {
  if (path.endsWith('.js')) return [path];
  return scriptsIn(path).filter(name => name.endsWith('.test.js'));
}

/** The test files that import a helper, such as `harness/full-load.js`, by themselves or through others. */
export function testsThatUse(helper) {
  const wanted = join(TESTS, helper);
  if (!existsSync(wanted)) throw new Error(`there is no ${wanted}`);
  const imports = scriptsIn(TESTS).map(file => [file, importsOf(file)]);
  const users = new Set([wanted]);
  for (let size = 0; size < users.size;) {
    size = users.size;
    for (const [file, imported] of imports) if (imported.some(other => users.has(other))) users.add(file);
  }
  return allTests().filter(file => users.has(file));
}

export function isBelow(file, folder) {
  return file.startsWith(folder + sep);
}

function scriptsIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter(name => name.endsWith('.js'))
    .map(name => join(folder, name))
    .sort();
}

/** The files of the tests that a file imports; the others cannot lead back here. */
function importsOf(file) {
  const text = readFileSync(file, 'utf8');
  return Array.from(text.matchAll(/(?:from|import) ['"](\.[^'"]+)['"]/g), ([, path]) =>
    join(dirname(file), path),
  ).filter(path => isBelow(path, TESTS));
}
