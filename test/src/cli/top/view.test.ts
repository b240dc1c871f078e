/** Whole pictures of `lb4 top`; those of docs/top.md are made here (TAP_SNAPSHOT=1 writes them anew). */
import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { CHARSETS, glyphsOf, type Charset } from '../../../../src/cli/top/glyphs.ts';
import { Figures } from '../../../../src/observe/figures.ts';
import { History } from '../../../../src/cli/top/history.ts';
import { Screen, textOfLine } from '../../../../src/cli/top/screen.ts';
import { FIRST_VIEW, type ViewState } from '../../../../src/cli/top/view-state.ts';
import { pictureOf, type Seen } from '../../../../src/cli/top/view.ts';
import type { StatusAnswer } from '../../../../src/cli/client/status.ts';
import { backendView, snapshotWith, upstreamView } from '../../../harness/fake-balancer.ts';
import { TerminalPicture } from '../../../harness/terminal-picture.ts';
import { clock, NOW, sampleHistory } from './sample-status.ts';

interface Shown {
  readonly width?: number;
  readonly height?: number;
  readonly charset?: Charset;
  readonly view?: Partial<ViewState>;
  readonly seen?: Partial<Seen>;
}

/** What a terminal of this size shows. */
function shown({ width = 80, height = 24, charset = 'braille', view = {}, seen = {} }: Shown = {}): string {
  const whole = { ...sampleHistory(), nowMs: NOW, clock, glyphs: glyphsOf(charset), ...seen };
  const { lines } = pictureOf(whole, { ...FIRST_VIEW, ...view }, width, height);
  const terminal = new TerminalPicture(width, height);
  terminal.write(new Screen({ colour: true }).changes(lines, width, height));
  return terminal.text;
}

const status = (parts: Partial<StatusAnswer>): Pick<Seen, 'status' | 'history' | 'figures'> => ({
  status: { name: 'default', version: '0.1.0', pid: 1, uptimeMs: 5_000, ...snapshotWith(), ...parts },
  history: new History(),
  figures: new Figures(),
});

const DOCUMENT = 'docs/top.md';
const PICTURES = { '80×24': { width: 80, height: 24 }, '120×40': { width: 120, height: 40 } };

for (const [size, { width, height }] of Object.entries(PICTURES)) {
  void t.test(`at ${size} it is the picture of docs/top.md`, async t => {
    const text = readFileSync(DOCUMENT, 'utf8');
    const block = new RegExp(`(At ${size}:\n\n\`\`\`text\n)([^]*?)(\n\`\`\`\n)`);
    const picture = shown({ width, height });
    if (process.env['TAP_SNAPSHOT'] === '1')
      writeFileSync(
        DOCUMENT,
        text.replace(block, (_, before: string, __, after: string) => before + picture + after),
      );
    t.equal(block.exec(readFileSync(DOCUMENT, 'utf8'))?.[2], picture);
    t.equal(picture.split('\n').length, height);
  });
}

void t.test('in every charset and size every line fits, and the last one is the foot', async t => {
  for (const charset of CHARSETS) {
    for (const [width, height] of [
      [40, 8],
      [60, 12],
      [80, 24],
      [99, 30],
      [120, 40],
      [300, 100],
    ] as const) {
      // A character outside of the screen throws.
      t.match(shown({ width, height, charset, view: { columns: 'traffic' } }), /\n q quit/);
      const picture = shown({ width, height, charset });
      t.match(picture.split('\n').at(-1), /^ q quit/, `${width}×${height}`);
      if (charset === 'ascii') t.match(picture, /^[\n -~]*$/);
    }
  }
  t.match(shown({ width: 39, height: 24 }), /^too small: 40 columns/);
  t.match(shown({ width: 80, height: 3 }), /^too small/);
  t.match(shown({ width: 1, height: 1 }), /^t$/);
});

void t.test('the help, the filter and the order are shown', async t => {
  t.match(shown({ view: { isHelp: true } }), /Ctrl-Z +stop; fg comes back/);
  t.match(shown({ view: { isTyping: true, filter: 'do' } }), /\n filter: do_$/);
  const filtered = shown({ view: { filter: 'maint', sort: 'trouble' } });
  t.match(filtered, /by trouble, only maint$/);
  t.match(filtered, /cache-3\.internal:6379/);
  t.notMatch(filtered, /10\.0\.0\.1/);
  t.match(shown({ view: { filter: 'zzz' } }), /no backend matches zzz/);
});

void t.test('where not all columns have room, c shows the others', async t => {
  const narrow = shown({ view: { columns: 'traffic' } });
  t.match(narrow, /^ {2}BACKEND +STATE +SESS +NEW\/S BYTES\/S FAILED CONNECT$/m);
  t.match(narrow, /^✓ 10\.0\.0\.1:5432 +up +312\/400 +26 +554k +0% +3\.9ms$/m);
  t.match(narrow, /^✗ 10\.0\.0\.3:5432 +down +4\/400 +0 +0 +2\.0% +3\.9ms$/m);
  t.match(narrow, / c columns /);
  t.notMatch(shown({ width: 120, height: 40 }), /c columns/);
  t.equal(
    shown({ width: 120, height: 40, view: { columns: 'traffic' } }),
    shown({ width: 120, height: 40 }),
    'a wide terminal has all of them',
  );
});

void t.test('a list that is longer than the screen scrolls to its last line', async t => {
  const backends = Array.from({ length: 50 }, (_, i) => backendView(`10.0.0.${i}:80`));
  const seen = status({ upstreams: [upstreamView('app', backends)] });
  t.match(shown({ seen }), /\d+ more below$/);
  const end = shown({ seen, view: { scroll: 1_000 } });
  t.match(end, /10\.0\.0\.49:80 .*\n q quit[^\n]*$/);
  t.notMatch(end, /more below/);
});

void t.test('what clients notice and what is wrong beside backends stands on top', async t => {
  const seen = status({
    listeners: [
      {
        name: 'a',
        addresses: ['127.0.0.1:1'],
        paused: false,
        pausedMs: undefined,
        engine: 'epoll',
        sessions: 1,
      },
      { name: 'b', addresses: ['127.0.0.1:2'], paused: true, pausedMs: 61_000, engine: 'epoll', sessions: 9 },
    ],
    workers: [{ worker: 2, engine: 'epoll', state: 'stalled', sessions: 0, sessionsEver: 0 }],
    mirror: {
      instance: 'a',
      upstreams: [
        {
          upstream: 'app',
          mode: 'local',
          trouble: { reason: 'denied', message: 'Redis requires a password' },
          ageMs: undefined,
          others: [],
        },
      ],
    },
    upstreams: [
      {
        ...upstreamView('app', [backendView('10.0.0.1:80')]),
        queue: { waiting: 3, max: 10, longestMs: 2_000 },
      },
    ],
  });
  const picture = shown({ seen: { ...seen, silence: 'no answer for 5s: refused' } });
  t.match(picture, /^✗ .*clients of app wait for a backend with room,\n {2}clients wait at b/m);
  t.match(picture, /^✗ no answer for 5s: refused$/m);
  t.match(picture, /^listeners b 127\.0\.0\.1:2: 9 clients wait for 1m 1s · a 127\.0\.0\.1:1: 1$/m);
  t.match(picture, /^! worker 2 is stalled$/m);
  t.match(picture, /^! counts of app are not shared: Redis requires a password$/m);
  t.match(picture, /3 of 10 wait, up to 2s/);
});

void t.test('a listener that has stopped with its upstream comes first', async t => {
  const open = {
    name: 'a',
    addresses: ['127.0.0.1:1'],
    paused: false,
    pausedMs: undefined,
    engine: 'epoll',
    sessions: 1,
  };
  const stopped = { ...open, name: 'b', addresses: [], stopped: true, sessions: 2 };
  const picture = shown({ seen: status({ listeners: [open, stopped] }) });
  t.match(picture, /^listeners b stopped: 2 · a 127\.0\.0\.1:1: 1$/m);
});

void t.test('many listeners take one line, which says how many are left out', async t => {
  const listeners = Array.from({ length: 40 }, (_, i) => ({
    ...{
      name: `listener-${i}`,
      addresses: [`127.0.0.1:${i}`],
      paused: false,
      pausedMs: undefined,
      engine: 'epoll',
      sessions: i,
    },
  }));
  t.match(shown({ seen: status({ listeners }) }), /^listeners listener-0 .* · 3\d more$/m);
});

void t.test('hostile names, addresses and reasons stay within their cells', async t => {
  const evil = '\u001b[2J\u001b]0;evil\u0007\r\n\u202e\u200b日本👍e\u0301\u009b31m';
  const backends = [backendView(evil, { state: 'down', why: evil.repeat(40) })];
  const upstreams = [{ ...upstreamView(evil, backends), strategy: evil }];
  const seen = status({
    ...{ name: evil, upstreams },
    listeners: [{ name: evil, addresses: [evil], paused: true, pausedMs: 1, engine: 'epoll', sessions: 1 }],
  });
  // The terminal of this test throws at a control character and at one of no or two cells.
  for (const charset of CHARSETS) t.match(shown({ charset, seen }), /\\x1b\[2J/);
  t.doesNotThrow(() => shown({ seen, view: { filter: evil, isTyping: true } }));
});

void t.test('without a height there is no foot, and every backend is shown', async t => {
  const whole = { ...sampleHistory(), nowMs: NOW, clock, glyphs: glyphsOf('braille') };
  const text = pictureOf(whole, FIRST_VIEW, 80, Infinity).lines.map(textOfLine).join('\n');
  for (const { backends } of whole.status.upstreams)
    for (const { backend } of backends) t.match(text, backend);
  t.notMatch(text, /q quit/);
});

void t.test('a second later only what has changed is written', async t => {
  const { status: first, history, figures } = sampleHistory();
  const screen = new Screen({ colour: true });
  const draw = (of: StatusAnswer) => {
    const seen = { status: of, history, figures, nowMs: NOW, clock, glyphs: glyphsOf('braille') };
    return screen.changes(pictureOf(seen, FIRST_VIEW, 80, 24).lines, 80, 24);
  };
  const whole = draw(first);
  t.equal(draw(first), '');
  const later = draw({ ...first, sessions: first.sessions + 1 });
  t.ok(later.length > 0 && later.length < 40, JSON.stringify(later));
  t.ok(whole.length > 1_000);
});
