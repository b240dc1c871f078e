/** Reading strace's table, and taking away what does not belong to sessions. */
import t from 'tap';
import { callsPerSession, parseStrace, totalOf } from '../../bench/measure/strace.ts';

const TABLE = `strace: Process 4711 attached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 41.20    0.012345           3      4000      1000 recvfrom
 30.00    0.009000           4      2000           sendto
 28.80    0.008640           8      1000         1 accept4
  0.00    0.000000           0         7           epoll_pwait2
------ ----------- ----------- --------- --------- ----------------
100.00    0.029985           4      7007      1001 total
`;

void t.test('reads calls, not errors, whether a line has errors or not', async t => {
  const calls = parseStrace(TABLE);
  t.same(
    [...calls],
    [
      ['recvfrom', 4000],
      ['sendto', 2000],
      ['accept4', 1000],
      ['epoll_pwait2', 7],
    ],
  );
  t.equal(totalOf(calls), 7007, 'the total line is not counted once more');
});

void t.test('a table that was cut off is an error, not a small count', async t => {
  t.throws(() => parseStrace(''), /no table/);
  t.throws(
    () => parseStrace('strace: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted\n'),
    /not permitted/,
  );
  t.throws(() => parseStrace(TABLE.split('\n').slice(0, 5).join('\n')), /no table/);
});

void t.test('what both counts have falls out: N sessions remain', async t => {
  const short = new Map([
    ['read', 500 * 4 + 33],
    ['munmap', 6],
    ['futex', 10],
  ]);
  const long = new Map([
    ['read', 2500 * 4 + 33],
    ['munmap', 6],
    ['accept4', 2000],
  ]);
  const calls = callsPerSession(short, long, 2000);
  t.equal(calls.get('read'), 4);
  t.equal(calls.get('munmap'), 0);
  t.equal(calls.get('accept4'), 1, 'a call that only the longer count has');
  t.equal(calls.get('futex'), -0.005, 'a call that only the shorter count has is not hidden');
  t.equal(totalOf(calls), 4.995);
});
