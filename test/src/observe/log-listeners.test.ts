/** What the log says of a listener that stops with its upstream (`stopWhenDown`). */
import t from 'tap';
import { Events } from '../../../src/model/events.ts';
import { logListeners } from '../../../src/observe/log-listeners.ts';
import type { Log } from '../../../src/observe/log.ts';
import { Seldom } from '../../../src/observe/seldom.ts';
import { FakeClock } from '../../harness/fake-clock.ts';

void t.test(
  'it stops, or what of it cannot; and that it cannot come back is said once in ten seconds',
  async t => {
    const { now, setTimer, advance } = (clock => ({
      now: clock.now,
      setTimer: clock.setTimer,
      advance: (ms: number) => clock.advance(ms),
    }))(new FakeClock());
    const lines: unknown[] = [];
    const log: Log = {
      format: 'json',
      isEnabled: () => true,
      write: (level, event, message, fields) => lines.push([level, event, message, fields]),
      lose: () => undefined,
    };
    const events = new Events();
    const seldom = new Seldom({ now, setTimer, isOff: () => false });
    logListeners(events, log, { seldom, now, setTimer });
    const web = { listener: 'web', upstream: 'app' };
    events.emit('listener:stopped', web);
    events.emit('listener:stopped', { ...web, kept: ['0.0.0.0:80', '[::]:80'] });
    const reason = 'cannot listen on 127.0.0.1:80: in use';
    for (let i = 0; i < 3; i++) events.emit('listener:notBack', { ...web, reason });
    t.same(lines.splice(0), [
      ['warn', 'listenerStopped', 'listener web stops listening: upstream app has no backend', web],
      [
        'warn',
        'listenerStopped',
        "listener web would stop listening, but the sockets of 0.0.0.0:80, [::]:80 are not lb4's own: clients there are refused: upstream app has no backend",
        { ...web, kept: '0.0.0.0:80 [::]:80' },
      ],
      [
        'error',
        'listenerNotBack',
        `listener web cannot listen again: ${reason}; lb4 goes on trying`,
        { ...web, reason },
      ],
    ]);
    advance(10_000);
    t.match(lines, [['error', 'listenerNotBack', /\(1 more in 10 s\)$/, { heldBack: 1 }]]);
  },
);
