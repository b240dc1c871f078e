/**
 * What an operator can do from the page. Each change is confirmed in a dialog that says what it means, and can be taken
 * back from the note that follows; where it cannot, the dialog says so.
 */
import { button, el, setText } from './dom.js';
import { bytes, counted, number, span } from './format.js';

const STATES = {
  ready: ['Ready', 'gets sessions while it is well'],
  drain: ['Drain', 'no new sessions; those it has run on'],
  maint: ['Maintenance', 'no new sessions, and no health checks'],
};
const NOTE_MS = 12_000;
const SESSIONS_SHOWN = 50;

export class Actions {
  #feed;
  #dialog;
  #notes;

  constructor(feed, dialog, notes) {
    this.#feed = feed;
    this.#dialog = dialog;
    this.#notes = notes;
  }

  /** Asks for state and weight of a backend, and shows its sessions. */
  change(upstream, { backend, operator, weight, sessions }) {
    const states = Object.entries(STATES).map(([value, [word, means]]) => {
      const input = el('input', { type: 'radio', name: 'state', value, checked: value === operator });
      return el(
        'label',
        { class: 'choice' },
        input,
        el('span', {}, el('strong', {}, word), el('span', { class: 'quiet' }, means)),
      );
    });
    const field = el('input', {
      type: 'number',
      name: 'weight',
      min: 0,
      max: 256,
      step: 1,
      required: true,
      value: weight,
    });
    const list = el('div', { class: 'sessions' });
    const wanted = form => ({ state: form.elements.state.value, weight: Number(form.elements.weight.value) });
    const form = this.#open(`${backend}`, `Backend of ${upstream}, with ${counted(sessions, 'session')}`, {
      body: [
        el('fieldset', {}, el('legend', {}, 'State'), ...states),
        el(
          'label',
          { class: 'field' },
          el('span', {}, 'Weight'),
          field,
          el('span', { class: 'quiet' }, '0 to 256; 0: no new sessions'),
        ),
        el('section', { 'aria-label': 'Sessions' }, el('h3', {}, 'Sessions'), list),
      ],
      confirm: 'Apply',
      onConfirm: async form => {
        const { state, weight: heavy } = wanted(form);
        const [now, before] = [{}, {}];
        if (state !== operator) [now.state, before.state] = [state, operator];
        if (heavy !== weight) [now.weight, before.weight] = [heavy, weight];
        if (Object.keys(now).length > 0) await this.#patch(upstream, backend, now, before);
      },
    });
    const tell = () => {
      const { state, weight: heavy } = wanted(form);
      const words = [];
      if (state !== operator) words.push(`set it to ${state}`);
      if (heavy !== weight) words.push(`weight ${weight} → ${heavy}`);
      setText(form.querySelector('.confirm'), words.length === 0 ? 'Apply' : `Apply: ${words.join(', ')}`);
    };
    form.addEventListener('input', tell);
    void this.#showSessions(list, upstream, backend);
  }

  /** Takes an operator's change back to what the file says. */
  putBack(upstream, backend, what, configured, now) {
    this.#open(
      'Put back?',
      `${what} of ${backend} becomes ${configured} again, as in the file. Now it is ${now}.`,
      {
        confirm: 'Put back',
        onConfirm: () => this.#patch(upstream, backend, { [what]: configured }, { [what]: now }),
      },
    );
  }

  /** Says what a reload would change before it does. */
  async reload() {
    try {
      const { changes, warnings } = await this.#feed.ask('POST', '/api/v1/reload', { dryRun: true });
      const texts = list =>
        el('ul', { class: 'changes', tabindex: 0 }, ...list.map(({ text }) => el('li', {}, text)));
      const one =
        changes.length === 0
          ? 'The file says what is in force already.'
          : 'These differ from what is in force:';
      this.#open('Reload the configuration?', one, {
        body: [
          texts(changes),
          warnings.length > 0 && el('h3', {}, 'Warnings'),
          warnings.length > 0 && texts(warnings),
          el('p', { class: 'quiet' }, 'To take a reload back, put the former file back and reload again.'),
        ],
        confirm: 'Reload',
        onConfirm: async () => {
          const done = await this.#feed.ask('POST', '/api/v1/reload', {});
          this.note(`Reloaded: ${counted(done.changes.length, 'change')}`);
        },
      });
    } catch (error) {
      this.note(`Not reloaded: ${error.message}`, undefined, 'bad');
    }
  }

  askForToken(why, onToken) {
    if (this.#dialog.open && this.#dialog.querySelector('[name=token]')) return;
    this.#open(
      'A token, please',
      `This lb4 answers only with its token: ${why}. It is kept for this tab only.`,
      {
        body: [
          el(
            'label',
            { class: 'field' },
            el('span', {}, 'Token'),
            el('input', {
              type: 'password',
              name: 'token',
              required: true,
              autocomplete: 'current-password',
            }),
          ),
        ],
        confirm: 'Go on',
        onConfirm: form => onToken(form.elements.token.value),
      },
    );
  }

  /** @param undo takes back what the note says; absent: it cannot be */
  note(text, undo, tone = 'good') {
    const close = () => note.remove();
    const note = el('div', { class: 'note', 'data-tone': tone }, el('span', {}, text));
    if (undo !== undefined) {
      note.append(
        button('Undo', () => {
          close();
          void this.#try(undo);
        }),
      );
    }
    note.append(button('×', close, { class: 'plain', 'aria-label': 'Close this note' }));
    this.#notes.append(note);
    // A reader who is at it gets the time needed.
    const later = () => (note.matches(':hover, :focus-within') ? setTimeout(later, 1_000) : close());
    setTimeout(later, NOTE_MS);
  }

  async #patch(upstream, backend, now, before) {
    const path = `/api/v1/upstreams/${encodeURIComponent(upstream)}/backends/${encodeURIComponent(backend)}`;
    await this.#feed.ask('PATCH', path, now);
    const words = Object.entries(now).map(([key, value]) => `${key} ${before[key]} → ${value}`);
    this.note(`${backend}: ${words.join(', ')}`, async () => {
      await this.#feed.ask('PATCH', path, before);
      this.note(`${backend}: as before`);
    });
  }

  async #try(action) {
    try {
      await action();
    } catch (error) {
      this.note(error.message, undefined, 'bad');
    }
  }

  async #showSessions(list, upstream, backend) {
    try {
      const query = new URLSearchParams({ upstream, backend, limit: SESSIONS_SHOWN });
      const { sessions, more } = await this.#feed.ask('GET', `/api/v1/sessions?${query}`);
      const items = sessions.map(session => this.#session(session));
      if (items.length === 0) list.append(el('p', { class: 'quiet' }, 'None now.'));
      else list.append(el('ul', {}, ...items));
      if (more)
        list.append(
          el(
            'p',
            { class: 'quiet' },
            `${number(SESSIONS_SHOWN)} of them are shown; lb4 sessions lists more.`,
          ),
        );
    } catch (error) {
      list.append(el('p', { class: 'quiet' }, error.message));
    }
  }

  #session({ id, clientAddress, clientPort, ageMs, bytesFromClient, bytesFromBackend }) {
    const client =
      clientAddress === ''
        ? 'a client of the unix socket'
        : `${clientAddress.includes(':') ? `[${clientAddress}]` : clientAddress}:${clientPort}`;
    const item = el(
      'li',
      {},
      el('span', { class: 'address' }, client),
      el(
        'span',
        { class: 'quiet' },
        `${span(ageMs)}, ${bytes(bytesFromClient)} in, ${bytes(bytesFromBackend)} out`,
      ),
    );
    const end = button(
      'End…',
      () => {
        const yes = button(
          'Reset it, for good',
          async () => {
            await this.#try(async () => {
              await this.#feed.ask('DELETE', `/api/v1/sessions/${encodeURIComponent(id)}`);
              item.replaceChildren(el('span', { class: 'quiet' }, `${client}: reset`));
            });
          },
          { class: 'danger' },
        );
        const no = button(
          'Keep',
          () => {
            yes.remove();
            no.remove();
            item.append(end);
            end.focus();
          },
          { class: 'plain' },
        );
        end.remove();
        item.append(yes, no);
        no.focus();
      },
      { class: 'plain', 'aria-label': `End the session of ${client}` },
    );
    item.append(end);
    return item;
  }

  #open(title, text, { body = [], confirm, onConfirm }) {
    const problem = el('p', { class: 'problem', role: 'alert' });
    const yes = el('button', { type: 'submit', class: 'confirm' }, confirm);
    const form = el(
      'form',
      { method: 'dialog' },
      el('h2', { id: 'dialog-title' }, title),
      el('p', { class: 'quiet' }, text),
      ...body,
      problem,
      el(
        'div',
        { class: 'buttons' },
        button('Cancel', () => this.#dialog.close(), { class: 'plain' }),
        yes,
      ),
    );
    form.addEventListener('submit', async event => {
      event.preventDefault();
      yes.disabled = true;
      try {
        await onConfirm(form);
        this.#dialog.close();
      } catch (error) {
        setText(problem, error.message);
      }
      yes.disabled = false;
    });
    if (this.#dialog.open) this.#dialog.close();
    this.#dialog.replaceChildren(form);
    this.#dialog.showModal();
    return form;
  }
}
