/** How a client is given up without an answer, where the kernel allows that and where not. */
import t from 'tap';
import * as abi from '../../../src/linux/abi.ts';
import { hush, silenceOf } from '../../../src/linux/silence.ts';

/** A kernel that lets a process use these options. */
function kernel(...allowed: readonly number[]) {
  const calls: string[] = [];
  const libc = {
    setsockopt: (fd: number, level: number, option: number) => {
      calls.push(`${fd}:${level}:${option}`);
      return allowed.includes(option) ? 0 : -1;
    },
    socket: () => 7,
    close: (fd: number) => {
      calls.push(`close ${fd}`);
      return 0;
    },
  };
  return { libc, calls };
}

void t.test('a socket in repair mode is closed without a segment', t => {
  const { libc, calls } = kernel(abi.TCP_REPAIR);
  t.equal(hush(libc, 5), 'full');
  t.same(calls, ['5:6:19']);
  t.equal(silenceOf(libc), 'full');
  t.equal(calls.at(-1), 'close 7');
  t.end();
});

void t.test('without the capability the reset is given one hop, for both families', t => {
  const { libc, calls } = kernel();
  t.equal(hush(libc, 5), 'routed');
  t.same(calls, ['5:6:19', '5:0:2', '5:41:16']);
  t.equal(silenceOf(libc), 'routed');
  t.equal(silenceOf({ ...libc, socket: () => -1 }), 'routed', 'also if there is no telling');
  t.end();
});
