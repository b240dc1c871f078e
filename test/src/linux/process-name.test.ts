import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nameOfProcess, programOf } from '../../../src/linux/process-name.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';

void t.test('a process is named by its program, and an interpreter by its script, without arguments', t => {
  const proc = temporaryFolder(t);
  mkdirSync(join(proc, '1'));
  const named = (...args: string[]): string => {
    writeFileSync(join(proc, '1/cmdline'), args.map(arg => `${arg}\0`).join(''));
    return nameOfProcess(1, proc);
  };
  t.equal(named('/usr/sbin/haproxy', '-f', 'x.cfg'), 'process 1 (haproxy)');
  t.equal(named('node', '--no-memory-reducer', '/usr/bin/lb4', '--redis', 'secret'), 'process 1 (node lb4)');
  t.equal(named('/usr/bin/python3'), 'process 1 (python3)');
  t.equal(named('nginx: master process /usr/sbin/nginx -g daemon off;'), 'process 1 (nginx)');
  t.equal(named('evil\nname\u001b[31m'), 'process 1 (evil)');
  t.notMatch(named(`bad\u001b${'x'.repeat(1_000)}`), /\u001b|x{100}/);
  t.equal(named(), 'process 1', 'a kernel thread has no arguments');
  t.equal(programOf(2, proc), undefined);
  t.end();
});
