/**
 * The dashboard: a stream of statuses and events in, a page out.
 *
 * Invariant: drawing happens at most once per frame, of the newest status; a page in the background draws nothing.
 */
import { Actions } from './actions.js';
import { Chart } from './charts.js';
import { setAttribute, setText } from './dom.js';
import { Timeline } from './events.js';
import { Feed } from './feed.js';
import { counted, number, rate, span } from './format.js';
import { History } from './history.js';
import { Limits, Sharing } from './panels.js';
import { summaryOf } from './summary.js';
import { Upstreams } from './upstreams.js';

const byId = id => document.getElementById(id);
const LINK_WORDS = {
  live: 'live',
  lost: 'no answer; trying again',
  locked: 'locked',
  connecting: 'connecting',
};

const history = new History();
const timeline = new Timeline(byId('events'));
const feed = new Feed({
  status: take,
  event: event => timeline.add(event),
  link: showLink,
});
const actions = new Actions(feed, byId('dialog'), byId('toasts'));
const upstreams = new Upstreams(byId('upstreams'), actions);
const charts = {
  rate: new Chart(byId('figure-rate'), 'Sessions per second', '--accent'),
  live: new Chart(byId('figure-live'), 'Live sessions', '--violet'),
};
const limits = new Limits(byId('limits'));
const sharing = new Sharing(byId('sharing'));

let newest;
let isDrawing = false;

function take(status) {
  const now = Date.now();
  history.add(status, now);
  newest = { status, now };
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    draw(newest);
  });
}

function draw({ status, now }) {
  const { tone, text } = summaryOf(status, now);
  // Its own letters first: names stay as they are.
  setText(byId('summary'), text.charAt(0).toUpperCase() + text.slice(1));
  setAttribute(document.documentElement, 'data-tone', tone);
  document.title = `${{ good: '', warn: '▲ ', bad: '✕ ' }[tone]}${status.name} · lb4`;
  setText(byId('instance'), `${status.name} · ${status.version}`);
  const addresses = status.listeners.flatMap(({ name, addresses: all }) =>
    all.map(address => `${name} at ${address}`),
  );
  const listening =
    addresses.length > 4 ? counted(addresses.length, 'address', 'addresses') : addresses.join(', ');
  setText(
    byId('about'),
    `${listening} · up for ${span(status.uptimeMs)} · ${counted(status.sessionsEver, 'session')} since its start · ${status.engine} engine`,
  );
  const [times, rates, live] = history.seconds;
  charts.rate.draw(times, rates, rate(history.rate), 'now');
  charts.live.draw(
    times,
    live,
    number(status.sessions),
    status.maxSessions === undefined ? 'now' : `of ${number(status.maxSessions)}`,
  );
  limits.draw(status);
  sharing.draw(status);
  upstreams.draw(status, history);
}

function showLink(state, detail) {
  setAttribute(byId('link'), 'data-link', state);
  setText(byId('link-text'), LINK_WORDS[state]);
  setAttribute(byId('link'), 'title', detail);
  setAttribute(byId('lock'), 'hidden', !feed.hasToken);
  setAttribute(byId('reload'), 'disabled', state !== 'live');
  if (state === 'locked') actions.askForToken(detail, token => feed.useToken(token));
}

byId('reload').addEventListener('click', () => void actions.reload());
byId('lock').addEventListener('click', () => feed.forgetToken());
void feed.start();
