/** The configuration in force: its file, what the last reload has changed or why it changed nothing, and the way to reload. */
import { el, setAttribute, setText } from './dom.js';
import { counted, span } from './format.js';

const TRIGGERS = { signal: 'by SIGHUP', watch: 'because a file has changed', api: 'through the admin API' };
const FAILURES = {
  refused: 'refused',
  invalid: 'not taken over: what it says is wrong',
  needsUpgrade: 'not taken over: this needs an upgrade or a restart',
  failed: 'not taken over',
};

export class Configuration {
  #value = el('output', { class: 'value small' }, '–');
  #file = el('p', { class: 'quiet', id: 'configuration-file' });
  #words = el('p', { class: 'quiet' });
  #texts = el('ul', { class: 'texts', hidden: true });
  #button;
  #shownAt;
  #noReload;
  #isLive = false;

  /** @param button asks for a reload */
  constructor(parent, button) {
    this.#button = button;
    setAttribute(button, 'aria-describedby', 'configuration-file');
    parent.append(
      el('h2', {}, 'Configuration'),
      el('p', { class: 'reading' }, this.#value),
      this.#file,
      this.#words,
      this.#texts,
    );
  }

  /** Whether lb4 answers now. */
  set isLive(isLive) {
    this.#isLive = isLive;
    this.#drawButton();
  }

  draw({ configuration = {}, lastReload: last, uptimeMs }) {
    const { file, noReload } = configuration;
    this.#noReload = noReload;
    this.#drawButton();
    setText(this.#file, [file, noReload && `No reload: ${noReload}`].filter(Boolean).join(' · '));
    if (last === undefined) {
      setText(this.#value, 'as started');
      setText(this.#words, `In force for ${span(uptimeMs)}.`);
      return;
    }
    setText(this.#value, last.ok ? 'reloaded' : 'not reloaded');
    setAttribute(this.#value, 'data-tone', last.ok ? undefined : 'bad');
    const outcome = last.ok ? counted(last.changes, 'change') : FAILURES[last.reason];
    const rest = last.ok ? '' : '. The configuration before goes on';
    setText(this.#words, `${span(last.agoMs)} ago, ${TRIGGERS[last.trigger]}: ${outcome}${rest}.`);
    this.#drawTexts(last);
  }

  /** Made anew after another reload only: a reader may have marked a part of it. */
  #drawTexts({ at, ok, changes, changed = [], problems, problemsInAll }) {
    if (this.#shownAt === at) return;
    this.#shownAt = at;
    const texts = ok ? changed : problems;
    const rest = (ok ? changes : problemsInAll) - texts.length;
    setAttribute(this.#texts, 'hidden', texts.length === 0);
    this.#texts.replaceChildren(
      ...texts.map(text => el('li', {}, text)),
      ...(texts.length > 0 && rest > 0 ? [el('li', { class: 'quiet' }, `and ${rest} more`)] : []),
    );
  }

  #drawButton() {
    setAttribute(this.#button, 'disabled', !this.#isLive || this.#noReload !== undefined);
    setAttribute(this.#button, 'title', this.#noReload);
  }
}
