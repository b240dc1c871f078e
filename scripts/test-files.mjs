/**
 * Finds test files: all, those below a folder, and those that use a certain helper.
 *
 * Place: `npm test` and `npm run verify` choose by it what to run, so that a new file is never forgotten.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';

const TESTS = join('dist', 'test');
/** These come first: they have the longest files, and the others fill up the time beside the last of them. */
const LONG_FOLDERS = ['e2e', 'sim', 'integration'].map(folder => join(TESTS, folder));
/** The longest of all, also of the long variants. One that is not here costs time at the end of a run, no more. */
export const LONGEST = [
  // First: without a network of its own its resets wait for looks at the kernel's tables of sockets, which the others fill.
  'src/engine/node/streams',
  'e2e/failing-sinks',
  'e2e/while-one-is-well',
  'e2e/upgrade',
  'e2e/live-outage',
  'integration/random-apply',
  'integration/http-load',
  'integration/membership-churn',
  'integration/apply-distribution',
  'e2e/mirror-many-instances',
  'e2e/mirror-long-faults',
  'e2e/mirror-faults',
  'e2e/package',
  'src/engine/node-engine',
  'integration/one-well-backend',
  'src/engine/epoll-engine',
  'integration/apply-faults',
  'integration/drain',
  'integration/session-records',
  'e2e/names',
  'integration/slow-readers',
  'e2e/crash',
  'e2e/many-reloads',
  'e2e/dashboard',
].map(name => join(TESTS, `${name}.test.js`));

/** Every test file there is. */
export function allTests() {
  return testsIn(TESTS);
}

/** Those that take long first, so that no other core waits for one of them at the end. */
export function longestFirst(files) {
  const rank = file => {
    const place = LONGEST.indexOf(file);
    if (place !== -1) return place;
    return LONGEST.length + (LONG_FOLDERS.some(folder => isBelow(file, folder)) ? 0 : 1);
  };
  return files.toSorted((a, b) => rank(a) - rank(b));
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
