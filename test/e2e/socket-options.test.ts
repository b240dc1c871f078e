/** Options of sockets that a system does not have: `lb4 check` and `lb4 run` name them, before anything is bound. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { runProgram, skipWithout } from '../harness/programs.ts';
import { WITHOUT_FFI } from '../harness/without-koffi.ts';
import '../harness/run-once.ts';

function written(t: Test, listener: string, upstream: string): string {
  const path = join(t.testdir(), 'lb4.yaml');
  const text = `listeners:
  - name: web
    bind: 127.0.0.1:0
    upstream: app
${listener}
upstreams:
  - name: app
    backends: ['127.0.0.1:9']
    health: off
${upstream}
`;
  writeFileSync(path, text);
  return path;
}

async function lb4(
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  return await runProgram(process.execPath, args);
}

void t.test('without the C library: what Node cannot set refuses the configuration', async t => {
  const path = written(
    t,
    '    dscp: EF\n    userTimeout: 30s\n    backlog: 5\n    noDelay: false',
    '    sendBuffer: 64KiB',
  );
  const check = await lb4(...WITHOUT_FFI, LB4, 'check', '-c', path);
  t.equal(check.code, 78);
  t.match(
    check.stderr,
    /lb4\.yaml:5:\d+ {2}listeners\[0\]\.dscp: cannot be set here: koffi cannot be loaded/,
  );
  t.match(check.stderr, /lb4\.yaml:6:\d+ {2}listeners\[0\]\.userTimeout: cannot be set here/);
  t.match(check.stderr, /upstreams\[0\]\.sendBuffer: cannot be set here/);
  t.notMatch(check.stderr, /backlog|noDelay/);
  const run = await lb4(...WITHOUT_FFI, LB4, 'run', '-c', path);
  t.equal(run.code, 78);
  t.match(run.stderr, /dscp.*cannot be set here: koffi cannot be loaded/);
});

void t.test('without the C library: what Node can set is set', async t => {
  const path = written(t, '    backlog: 5\n    noDelay: false', '    noDelay: false');
  const { code, stderr } = await lb4(...WITHOUT_FFI, LB4, 'check', '-c', path);
  t.equal(code, 0, stderr);
  const running = await startLb4(t, ['-c', path], { command: [process.execPath, ...WITHOUT_FFI, LB4] });
  if (process.platform !== 'linux') return;
  const { stdout } = await runProgram('ss', ['-H', '-t', '-l', '-n', 'sport', '=', `:${running.port}`]);
  t.match(stdout, /LISTEN\s+\d+\s+5\s/);
});

void t.test('an interface that is not there', { skip: process.platform !== 'linux' }, async t => {
  const { code, stderr } = await lb4(LB4, 'check', '-c', written(t, '    interface: no-such-thing', ''));
  t.equal(code, 78);
  t.match(stderr, /listeners\[0\]\.interface: cannot be set here: there is no interface no-such-thing/);
});

const withoutPrivileges = ['--bounding-set', '-net_admin,-net_raw'];
const cannotDrop = process.getuid?.() === 0 ? skipWithout('setpriv') : 'only root can drop a privilege';

void t.test('the address of the client takes a privilege', { skip: cannotDrop }, async t => {
  const path = written(t, '', '    source: client');
  const may = await lb4(LB4, 'check', '-c', path);
  t.equal(may.code, 0, may.stderr);
  const { code, stderr } = await runProgram('setpriv', [
    ...[...withoutPrivileges, process.execPath, LB4],
    ...['check', '-c', path],
  ]);
  t.equal(code, 78);
  t.match(
    stderr,
    /upstreams\[0\]\.source: cannot be set here: the address of the client takes root or CAP_NET_ADMIN \(EPERM\)/,
  );
});
