/** What has happened, newest first, in words. */
import { el } from './dom.js';
import { counted, span, timeOfDay } from './format.js';
import { stateIcon } from './icons.js';

const MOST = 60;

/** The icon of each event, and its words. `at`: the backend; the upstream is named below. */
const EVENTS = {
  'backend:up': ['up', e => `up: ${e.reason}`],
  'backend:down': ['down', e => `down: ${e.reason}`],
  'backend:checkFailed': ['trial', e => `check ${e.inARow} of ${e.fall} failed: ${e.reason}`],
  'backend:ejected': ['ejected', e => `ejected for ${span(e.forMs)}: ${e.reason}`],
  'backend:trial': ['trial', () => 'the next session tries it'],
  'backend:restored': ['up', e => `back from ejection: ${e.reason}`],
  'backend:stateSet': [
    'maint',
    e => `set to ${e.state} by ${e.by === 'agent' ? 'its agent' : 'an operator'}`,
  ],
  'backend:shareSet': [
    'maint',
    e =>
      `weight ${e.weight}${e.percent === 100 ? '' : ` × ${e.percent} %`}${e.maxSessions === undefined ? '' : `, at most ${counted(e.maxSessions, 'session')}`}`,
  ],
  'backend:slowStart': ['standby', e => `slow start, for ${span(e.forMs)}`],
  'backend:slowStartEnded': ['up', () => 'slow start has ended'],
  'backend:added': ['up', () => 'added'],
  'backend:removed': ['removed', e => `removed, with ${counted(e.sessions, 'session')}`],
  'backend:connectFailed': [
    'ejected',
    e => `connect failed: ${e.reason} (${e.code})${e.times > 1 ? `, ${e.times} times` : ''}`,
  ],
  'source:failed': ['down', e => `${e.source} fails: ${e.reason}`],
  'source:recovered': ['up', e => `${e.source} answers again, after ${span(e.forMs)}`],
  'upstream:panic': ['down', e => `panic: ${e.well} of ${e.of} are well, and all are tried`],
  'upstream:panicEnded': ['up', e => `panic has ended: ${e.well} of ${e.of} are well`],
  'upstream:backups': ['ejected', () => 'backups stand in'],
  'upstream:backupsEnded': ['up', () => 'backups are not needed any more'],
  'upstream:queueing': ['ejected', () => 'every backend is full: sessions wait'],
  'upstream:queueingEnded': ['up', e => `no session waits any more; the longest waited ${span(e.longestMs)}`],
  'upstream:down': ['down', () => 'no backend gets sessions: clients are refused'],
  'upstream:up': ['up', () => 'a backend gets sessions again'],
  'listener:listening': ['up', e => `listener ${e.listener} is open at ${e.address}`],
  'listener:paused': ['ejected', e => `listener ${e.listener} is at its limit: clients wait`],
  'listener:stopped': [
    'down',
    e => `listener ${e.listener} has stopped listening: its upstream ${e.upstream} has no backend`,
  ],
  'listener:notBack': ['down', e => `listener ${e.listener} cannot listen again: ${e.reason}`],
  'certificate:renewed': [
    'up',
    e => `${ownerOf(e)} has a new certificate, valid until ${e.notAfter.slice(0, 10)}`,
  ],
  'certificate:refused': ['down', e => `renewed certificate cannot be used: ${e.reason}`],
  'certificate:expiring': [
    'ejected',
    e =>
      `certificate of ${ownerOf(e)} ${e.daysLeft < 0 ? 'has expired' : `expires in ${counted(e.daysLeft, 'day')}`}`,
  ],
  'listener:resumed': ['up', e => `listener ${e.listener} takes clients again`],
  'worker:exited': ['down', e => `worker ${e.worker} has died: ${e.reason}`],
  'worker:restarted': ['up', e => `worker ${e.worker} is back`],
  'worker:stalled': ['ejected', e => `worker ${e.worker} has stood still for ${span(e.forMs)}`],
  'worker:resumed': ['up', e => `worker ${e.worker} moves again`],
  'mirror:changed': [
    'standby',
    e =>
      e.mode === 'shared'
        ? `counts are shared with ${counted(e.others, 'instance')}`
        : `counts are not shared: ${e.message ?? e.reason}`,
  ],
  'drain:started': ['drain', e => `lb4 drains, with ${counted(e.sessions, 'session')}`],
  missed: ['removed', () => 'some events are lost'],
};

function ownerOf({ listener, upstream }) {
  return listener === undefined ? `upstream ${upstream}` : `listener ${listener}`;
}

export class Timeline {
  #list;

  constructor(list) {
    this.#list = list;
    this.#list.append(el('li', { class: 'none quiet' }, 'Nothing yet.'));
  }

  add(event) {
    const [icon, words] = EVENTS[event.event] ?? ['removed', () => event.event];
    this.#list.querySelector('.none')?.remove();
    const { backend, upstream } = event;
    this.#list.prepend(
      el(
        'li',
        { class: `is-${icon}` },
        stateIcon(icon),
        el(
          'div',
          {},
          backend !== undefined && el('span', { class: 'address' }, backend),
          backend !== undefined && ' ',
          el('span', {}, words(event)),
          el(
            'p',
            { class: 'quiet' },
            el('time', { datetime: event.time }, timeOfDay(Date.parse(event.time))),
            upstream !== undefined && ` · ${upstream}`,
          ),
        ),
      ),
    );
    while (this.#list.children.length > MOST) this.#list.lastElementChild.remove();
  }
}
