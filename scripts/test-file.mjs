/**
 * Runs one test file in a process of its own and reads what it reports (TAP).
 *
 * Place: scripts/test.mjs calls it for each file. tap's own command line does the same with module hooks in every
 * process, which cost half a second each on Node 20 and serve mocks and snapshots, which no test here uses.
 * Invariants: the promise is always fulfilled, with an outcome that says `failed > 0` whenever anything was wrong:
 * an assertion, an exit code, a signal, a file without a test, a process that does not end.
 */
import { spawn } from 'node:child_process';
import { Parser } from 'tap-parser';

/** A file may ask for more by `t.setTimeout`. */
const TIMEOUT_S = process.env.LB4_TEST_LOAD === 'full' ? 1_200 : 120;
/** After its own timeout a file reports what it was waiting for; then it is killed. */
const GRACE_MS = 5_000;
/** What a failed file has written besides TAP is shown, its end at least. */
const OUTPUT_SHOWN = 64 * 1024;
const KEY = 'lb4';

/**
 * @typedef {{ name: string, diag?: object }} Failure
 * @typedef {{ file: string, passed: number, failed: number, skipped: number, seconds: number, failures: Failure[],
 *   reasons: Record<string, number>, output: string }} Outcome reasons: how often something was skipped for which
 * @param {string} file
 * @param {{ env: NodeJS.ProcessEnv, args?: string[] }} surroundings args: Node's own
 * @returns {Promise<Outcome>}
 */
export function runTestFile(file, { env, args = [] }) {
  const started = performance.now();
  const tally = { passed: 0, failed: 0, skipped: 0, failures: [], reasons: {} };
  let output = '';
  const other = text => (output = (output + text).slice(-OUTPUT_SHOWN));

  const child = spawn(process.execPath, ['--enable-source-maps', ...args, file], {
    // The channel is how `t.setTimeout` says that a file takes longer.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...env, TAP: '1', TAP_TIMEOUT: `${TIMEOUT_S}`, TAP_CHILD_KEY: KEY, TAP_CHILD_ID: '1' },
  });
  const parser = new Parser();
  count(parser, [], tally);
  collectOther(parser, other);
  child.stdout.pipe(parser);
  child.stderr.setEncoding('utf8').on('data', other);

  let killed = false;
  let guard;
  const allow = ms => {
    clearTimeout(guard);
    if (ms > 0) guard = setTimeout(() => (killed = child.kill('SIGKILL')), ms + GRACE_MS);
  };
  allow(TIMEOUT_S * 1_000);
  child.on('message', message => {
    if (message?.key === KEY && typeof message.setTimeout === 'number') allow(message.setTimeout);
  });

  return new Promise(resolve => {
    child.once('error', error => fail(`it could not be started: ${error.message}`));
    child.once('exit', () => {
      clearTimeout(guard);
      // A process that the file has left behind may hold the pipes open.
      setTimeout(() => [child.stdout, child.stderr].forEach(stream => stream.destroy()), 2_000).unref();
    });
    child.once('close', (code, signal) => {
      if (killed) fail(`it did not end in time and was killed`);
      else if (signal !== null) fail(`it was ended by ${signal}`);
      else if (code !== 0 && tally.failed === 0) fail(`it ended with exit code ${code}`);
      else if (parser.results?.ok === false && tally.failed === 0) fail('its report is not complete');
      else if (tally.passed + tally.failed + tally.skipped === 0) fail('there is no test in it');
      resolve({ file, ...tally, seconds: (performance.now() - started) / 1_000, output });
    });
    function fail(name) {
      tally.failed++;
      tally.failures.push({ name });
    }
  });
}

/** Counts the assertions of a test and of those below it; the line that closes a test repeats what it has. */
function count(parser, path, tally) {
  parser.on('child', child => count(child, [...path, child.name], tally));
  let failedBefore = 0;
  parser.on('assert', result => {
    const { ok, skip, todo, closingTestPoint, name, diag } = result;
    if (skip || todo) {
      tally.skipped++;
      const reason = [skip, todo].find(each => typeof each === 'string') ?? name.replace(/^skipped: /, '');
      tally.reasons[reason] = (tally.reasons[reason] ?? 0) + 1;
    } else if (closingTestPoint && (ok || tally.failed > failedBefore)) failedBefore = tally.failed;
    else if (ok) tally.passed++;
    else {
      failedBefore = ++tally.failed;
      tally.failures.push({ name: [...path, name].join(' › '), ...(diag === null ? {} : { diag }) });
    }
  });
}

/** What a file prints among its TAP. */
function collectOther(parser, other) {
  parser.on('extra', other);
  parser.on('child', child => collectOther(child, other));
}
