/**
 * Runs the test files named in LB4_TEST_FILES, each in a process of its own, as `tap FILE…` does, only without tap's
 * module hooks: these cost each process half a second on Node 20, and serve coverage and snapshots, which are not
 * wanted here. tap runs this file as if it were the only test (scripts/test.mjs). A line in the file LB4_TEST_FAILURES
 * for each that fails.
 */
import { appendFileSync } from 'node:fs';
import t from 'tap';

const TIMEOUT_S = 120;
// As .taprc has it.
t.jobs = Number(process.env.TAP_JOBS);

for (const file of process.env.LB4_TEST_FILES.split(' ')) {
  // The hooks come by NODE_OPTIONS, whatever `env` says here.
  const bare = ['-u', 'NODE_OPTIONS', `TAP_TIMEOUT=${TIMEOUT_S}`];
  const command = [...bare, process.execPath, '--enable-source-maps', file];
  void t.spawn('/usr/bin/env', command, { timeout: TIMEOUT_S * 1_000 }, file).then(({ ok }) => {
    if (!ok) appendFileSync(process.env.LB4_TEST_FAILURES, `${file}\n`);
  });
}
