/**
 * The page's connection to the API: the stream of events with a status every second, and requests that change things.
 *
 * Why not EventSource: it cannot send a token.
 * Invariants:
 * - One stream at a time; after an end it is opened again, and goes on where it was.
 * - The token is kept for this tab only, and sent to this address only.
 */
const RETRY_MS = 2_000;
/** A status is due every second: a stream that sends nothing for longer has died. */
const SILENT_MS = 10_000;
const KEY = 'lb4-token';

export class Feed {
  #on;
  #token = sessionStorage.getItem(KEY) ?? '';
  #lastId;
  #abort;

  /** @param on `status(status)`, `event(event)`, and `link('live' | 'lost' | 'full' | 'locked', detail)` */
  constructor(on) {
    this.#on = on;
  }

  get hasToken() {
    return this.#token !== '';
  }

  useToken(token) {
    this.#token = token;
    sessionStorage.setItem(KEY, token);
    void this.start();
  }

  /** Nothing that came with it stays on the page. */
  forgetToken() {
    sessionStorage.removeItem(KEY);
    location.reload();
  }

  /** Opens the stream, and keeps it open; a second call begins anew. */
  async start() {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    while (!abort.signal.aborted) {
      try {
        await this.#follow(abort.signal);
        this.#on.link('lost', 'the stream has ended');
      } catch (error) {
        if (abort.signal.aborted) return;
        if (error.status === 401) {
          this.#on.link('locked', error.message);
          return;
        }
        // Too many pages: its own words say so, and there may be room soon.
        this.#on.link(error.status === 503 ? 'full' : 'lost', error.message);
      }
      await new Promise(resolve => setTimeout(resolve, RETRY_MS));
    }
  }

  /** Resolves with what is answered; rejects with the API's own words, and the status. */
  async ask(method, path, body) {
    const response = await fetch(path, {
      method,
      headers: this.#headers(body === undefined ? {} : { 'content-type': 'application/json' }),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (!response.ok) throw await failure(response);
    return response.json();
  }

  async #follow(outer) {
    const silence = new AbortController();
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new Error('nothing has come for 10 s')), SILENT_MS);
    };
    const before = this.#lastId === undefined ? {} : { 'last-event-id': this.#lastId };
    const stop = () => silence.abort();
    outer.addEventListener('abort', stop);
    try {
      heard();
      const response = await fetch('/api/v1/events?status=1s&recent=100', {
        headers: this.#headers(before),
        signal: silence.signal,
      });
      if (!response.ok) throw await failure(response);
      this.#on.link('live');
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard();
        const blocks = (text + value).split('\n\n');
        text = blocks.pop();
        for (const block of blocks) this.#take(block);
      }
    } finally {
      clearTimeout(timer);
      outer.removeEventListener('abort', stop);
    }
  }

  #take(block) {
    const fields = { event: 'message', data: '' };
    for (const line of block.split('\n')) {
      const at = line.indexOf(':');
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 1).replace(/^ /, '');
    }
    if (fields.id !== undefined) this.#lastId = fields.id;
    if (fields.data === '') return;
    const data = JSON.parse(fields.data);
    if (fields.event === 'status') this.#on.status(data);
    else this.#on.event(data);
  }

  #headers(more) {
    return this.#token === '' ? more : { ...more, authorization: `Bearer ${this.#token}` };
  }
}

async function failure(response) {
  const problem = await response.json().catch(() => ({}));
  const error = new Error(problem.detail ?? `HTTP ${response.status}`);
  error.status = response.status;
  return error;
}
