/**
 * The dashboard: a stream of statuses and events in, a page out.
 *
 * Invariant: drawing happens at most once per frame, of the newest status; a page in the background draws nothing.
 */
import { Actions } from './actions.js';
import { Chart } from './charts.js';
import { Configuration } from './configuration.js';
import { setAttribute, setText } from './dom.js';
import { Endings } from './endings.js';
import { Timeline } from './events.js';
import { Feed } from './feed.js';
import { Figures, toneOfFailures } from './figures.js';
import { byteRate, counted, inUnits, number, percent, rate, span } from './format.js';
import { History } from './history.js';
import { Limits, Sharing } from './panels.js';
import { summaryOf } from './summary.js';
import { Upstreams } from './upstreams.js';

const byId = id => document.getElementById(id);
const LINK_WORDS = {
  live: 'live',
  lost: 'no answer; trying again',
  full: 'no room; trying again',
  locked: 'locked',
  connecting: 'connecting',
};

const history = new History();
const figures = new Figures();
const timeline = new Timeline(byId('events'));
const feed = new Feed({
  status: take,
  event: event => timeline.add(event),
  link: showLink,
});
const actions = new Actions(feed, byId('dialog'), byId('toasts'));
const upstreams = new Upstreams(byId('upstreams'), actions);
const BYTE_STEPS = [0, 3, 6, 9].flatMap(power =>
  [1, 2, 5, 10, 20, 50, 100, 200, 500].map(n => n * 10 ** power),
);
const charts = {
  rate: new Chart(byId('figure-rate'), 'Sessions per second', ['--accent']),
  live: new Chart(byId('figure-live'), 'Live sessions', ['--violet']),
  bytes: new Chart(byId('figure-bytes'), 'Throughput', ['--teal', '--accent'], {
    ...{ inWords: inUnits, least: 1_000, steps: BYTE_STEPS },
  }),
  failures: new Chart(byId('figure-failures'), 'Failed sessions', ['--bad'], { least: 4 }),
};
const endings = new Endings(byId('endings'));
const limits = new Limits(byId('limits'));
const sharing = new Sharing(byId('sharing'));
const configuration = new Configuration(byId('configuration'), byId('reload'));

let newest;
let isDrawing = false;

function take(status) {
  const now = Date.now();
  figures.add(status);
  history.add(status, now, figures.instance);
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
  setText(byId('summary'), asSentence(text));
  setAttribute(document.documentElement, 'data-tone', tone);
  setAttribute(document.documentElement, 'data-uptime', status.uptimeMs);
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
  drawCharts(status);
  limits.draw(status);
  sharing.draw(status);
  configuration.draw(status);
  endings.draw(status);
  upstreams.draw(status, history, figures);
}

function drawCharts({ sessions, maxSessions }) {
  const [times, rates, live, fromClients, fromBackends, failures] = history.seconds;
  charts.rate.draw(times, [rates], rate(history.rate), 'now');
  const most = maxSessions === undefined ? 'now' : `of ${number(maxSessions)}`;
  charts.live.draw(times, [live], number(sessions), most);
  const { bytes, failures: perSecond, all, failed } = figures.instance;
  const up = bytes === undefined ? '' : `to clients, ${byteRate(bytes.client)} back`;
  charts.bytes.draw(times, [fromBackends, fromClients], byteRate(bytes?.backend), up);
  const part = all === 0 ? 'per second' : `per second, ${percent(failed, all)} in 1 min`;
  charts.failures.draw(times, [failures], rate(perSecond), part);
  charts.failures.setTone(perSecond > 0 ? toneOfFailures(failed, all) : undefined);
}

/** With a capital first letter: texts begin with words of lb4, and names in them stay as they are. */
function asSentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function showLink(state, detail) {
  setAttribute(byId('link'), 'data-link', state);
  setText(byId('link-text'), LINK_WORDS[state]);
  setAttribute(byId('link'), 'title', detail);
  setAttribute(byId('lock'), 'hidden', !feed.hasToken);
  configuration.isLive = state === 'live';
  // Nothing was shown yet: the reason stands where the sentence will be.
  if (['full', 'lost'].includes(state) && newest === undefined) setText(byId('summary'), asSentence(detail));
  if (state === 'locked') actions.askForToken(detail, token => feed.useToken(token));
}

byId('reload').addEventListener('click', () => void actions.reload());
byId('lock').addEventListener('click', () => feed.forgetToken());
void feed.start();
