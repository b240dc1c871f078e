import t from 'tap';
import { takePassedSockets } from '../../../../src/cli/systemd/passed-sockets.ts';

void t.test('descriptors begin at 3, with the names that they were given', t => {
  const env = { LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'web:web:mail' };
  t.same(takePassedSockets(env, 42), [
    { fd: 3, name: 'web' },
    { fd: 4, name: 'web' },
    { fd: 5, name: 'mail' },
  ]);
  t.same(takePassedSockets({ LISTEN_PID: '42', LISTEN_FDS: '2' }, 42), [
    { fd: 3, name: '' },
    { fd: 4, name: '' },
  ]);
  t.end();
});

void t.test('what is for another process, or is no number, gives none', t => {
  t.same(takePassedSockets({}, 42), []);
  t.same(takePassedSockets({ LISTEN_PID: '41', LISTEN_FDS: '1' }, 42), []);
  t.same(takePassedSockets({ LISTEN_FDS: '1' }, 42), []);
  t.same(takePassedSockets({ LISTEN_PID: '42', LISTEN_FDS: '-1' }, 42), []);
  t.same(takePassedSockets({ LISTEN_PID: '42', LISTEN_FDS: '0' }, 42), []);
  t.end();
});

void t.test('the variables are gone afterwards, whoever they were for', t => {
  for (const pid of ['41', '42']) {
    const env = { LISTEN_PID: pid, LISTEN_FDS: '1', LISTEN_FDNAMES: 'web', LISTEN_PIDFDID: '7', HOME: '/' };
    takePassedSockets(env, 42);
    t.same(env, { HOME: '/' });
  }
  t.end();
});
