/** What stands beside the charts: limits that come near, and the instances that share counts. */
import { arrange, el, setAttribute, setText, setWidth } from './dom.js';
import { counted, number } from './format.js';

/** Meters by name; those that are gone are taken away. */
export class Limits {
  #list = el('ul', { class: 'limits' });
  #items = new Map();

  constructor(parent) {
    parent.append(el('h2', {}, 'Limits'), this.#list);
  }

  draw({ sessions, maxSessions, listeners, upstreams, workers, process = {}, logs = [] }) {
    const found = [];
    if (maxSessions !== undefined) found.push(this.#meter('Sessions', sessions, maxSessions));
    for (const { name, queue } of nearest(upstreams.filter(({ queue }) => queue.max > 0))) {
      found.push(this.#meter(`Queue of ${name}`, queue.waiting, queue.max));
    }
    const { openDescriptors, descriptorLimit, sourcePorts } = process;
    if (openDescriptors !== undefined && descriptorLimit !== undefined) {
      found.push(this.#meter('Descriptors', openDescriptors, descriptorLimit));
    }
    const busiest = mostConnected(upstreams);
    if (busiest !== undefined && sourcePorts !== undefined) {
      found.push(this.#meter(`Source ports to ${busiest.backend}`, busiest.connections, sourcePorts));
    }
    const paused = listeners.filter(each => each.paused);
    const stopped = listeners.filter(each => each.stopped);
    const troubles = [
      [paused, 'clients wait'],
      [stopped, 'stopped, no backend'],
    ].flatMap(([some, what]) =>
      some.length === 0 ? [] : [`${some.map(({ name }) => name).join(', ')}: ${what}`],
    );
    found.push(
      this.#line(
        'Listeners',
        troubles.join('; ') || `${number(listeners.length)} open`,
        troubles.length > 0 && 'bad',
      ),
    );
    const expiring = expiringOf(listeners, upstreams);
    if (expiring.length > 0) found.push(this.#line('Certificates', expiring.join('; '), 'bad'));
    const stuck = workers.filter(({ state }) => state !== 'running');
    if (workers.length > 0) {
      const words = stuck.map(({ worker, state }) => `${worker} ${state}`).join(', ');
      found.push(
        this.#line(
          'Workers',
          stuck.length === 0 ? `${number(workers.length)} running` : words,
          stuck.length > 0 && 'bad',
        ),
      );
    }
    for (const each of logs) found.push(this.#log(each));
    arrange(this.#list, found);
  }

  #meter(name, value, max) {
    const item = this.#item(name, () => {
      const fill = el('span');
      const meter = el(
        'div',
        { class: 'meter', role: 'meter', 'aria-valuemin': 0, 'aria-label': name },
        fill,
      );
      const reading = el('span', { class: 'count' });
      return { element: el('li', {}, el('span', {}, name), reading, meter), fill, meter, reading };
    });
    const part = Math.min(1, value / max);
    setText(item.reading, `${number(value)} of ${number(max)}`);
    setAttribute(item.meter, 'aria-valuemax', max);
    setAttribute(item.meter, 'aria-valuenow', Math.min(value, max));
    setAttribute(item.meter, 'data-kind', part >= 0.8 ? 'near' : 'limit');
    setWidth(item.fill, part);
    return item.element;
  }

  #log({ log, destination, linesLost, brokenAs }) {
    const name = log === 'access' ? 'Access log' : 'Log';
    const lost = linesLost > 0 ? `${counted(linesLost, 'line')} lost` : undefined;
    const broken = brokenAs === undefined ? undefined : `takes no lines (${brokenAs})`;
    const words = [broken, lost].filter(Boolean).join(', ');
    const tone = broken === undefined ? lost && 'warn' : 'bad';
    return this.#line(name, words === '' ? destination : `${destination}: ${words}`, tone);
  }

  #line(name, words, tone) {
    const item = this.#item(name, () => {
      const reading = el('span', { class: 'count' });
      return { element: el('li', { class: 'line' }, el('span', {}, name), reading), reading };
    });
    setText(item.reading, words);
    setAttribute(item.reading, 'data-tone', tone || undefined);
    return item.element;
  }

  #item(name, make) {
    let item = this.#items.get(name);
    if (item === undefined) this.#items.set(name, (item = make()));
    return item;
  }
}

/** Certificates with less than two weeks left. */
function expiringOf(listeners, upstreams) {
  return [...listeners, ...upstreams].flatMap(({ name, tls }) =>
    (tls?.certificates ?? [])
      .filter(({ daysLeft }) => daysLeft < 14)
      .map(({ file, daysLeft }) => {
        const when = daysLeft < 0 ? 'has expired' : `expires in ${counted(daysLeft, 'day')}`;
        return `${name}: ${file} ${when}`;
      }),
  );
}

/** Each connection to a backend takes a source port. A unix socket has none. */
function mostConnected(upstreams) {
  const backends = upstreams.flatMap(({ backends }) => backends);
  return backends
    .filter(({ backend }) => !backend.startsWith('unix:'))
    .reduce(
      (most, each) => (most === undefined || each.connections > most.connections ? each : most),
      undefined,
    );
}

/** The two fullest. */
function nearest(upstreams) {
  const part = ({ queue }) => queue.waiting / queue.max;
  return [...upstreams].sort((one, other) => part(other) - part(one)).slice(0, 2);
}

export class Sharing {
  #mode = el('p', { class: 'reading' }, el('output', { class: 'value small' }, '–'));
  #words = el('p', { class: 'quiet' });
  #names = el('ul', { class: 'instances' });
  #shown = '';

  constructor(parent) {
    parent.append(el('h2', {}, 'Instances'), this.#mode, this.#words, this.#names);
  }

  draw({ mirror }) {
    const text = JSON.stringify(mirror ?? null, (key, value) => (key === 'ageMs' ? undefined : value));
    if (text === this.#shown) return;
    this.#shown = text;
    const value = this.#mode.firstElementChild;
    if (mirror === undefined) {
      setText(value, 'alone');
      setText(this.#words, 'Counts are not shared: the configuration names no Redis.');
      this.#names.replaceChildren();
      return;
    }
    const others = [...new Set(mirror.upstreams.flatMap(each => each.others))].sort();
    const local = mirror.upstreams.filter(({ mode }) => mode === 'local');
    setText(value, local.length === 0 ? 'shared' : 'local');
    const trouble = local.find(each => each.trouble !== undefined)?.trouble?.message;
    setText(
      this.#words,
      local.length === 0
        ? `Sessions of ${counted(others.length, 'other instance')} count here, too.`
        : `Only this instance's own sessions count in ${local.map(({ upstream }) => upstream).join(', ')}${trouble === undefined ? '' : `: ${trouble}`}`,
    );
    this.#names.replaceChildren(
      el('li', { class: 'own' }, mirror.instance),
      ...others.map(name => el('li', {}, name)),
    );
  }
}
