/**
 * Every rate on the dashboard is what the counters say. test/integration/counters.test.ts compares those with what
 * clients and backends have counted.
 */
import t, { type Test } from 'tap';
import { BACKEND, Counts, LISTENER, UPSTREAM } from '../../src/model/counter-view.ts';
import { portOf, startAdmin } from '../harness/admin.ts';
import { noBrowser, openPage, startBrowser, untilUptime } from '../harness/browser.ts';
import { Scene } from '../harness/dashboard-scene.ts';
import { FakeBalancer } from '../harness/fake-balancer.ts';
import { FakeClock } from '../harness/fake-clock.ts';

const UNITS: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9, ms: 1e-3, '%': 0.01 };
const [BY_CLIENT, BY_BACKEND] = [0, 1];

/** A figure is the true value to its last digit. */
function reads(t: Test, text: string, value: number, what: string): void {
  const [, digits = '', unit = ''] = /(\d[\d.,]*)\s*(kB|MB|GB|ms|%)?/.exec(text) ?? [];
  const scale = UNITS[unit] ?? 1;
  const lastDigit = scale * 10 ** -(digits.split('.')[1]?.length ?? 0);
  const shown = Number(digits.replaceAll(',', '')) * scale;
  const isBelow = text.includes('<')
    ? value < shown && value > 0
    : Math.abs(shown - value) <= lastDigit * 0.5001;
  t.ok(digits !== '' && isBelow, `${what}: ${text} for ${value}`);
}

async function openScene(t: Test, from: number) {
  const [scene, clock] = [new Scene(), new FakeClock()];
  while (scene.second < from) scene.advance();
  const { url } = await startAdmin(t, {
    tcp: true,
    port: portOf(
      Object.assign(new FakeBalancer(), {
        snapshot: () => scene.snapshot(),
        counters: () => scene.counters(),
      }),
    ),
    setTimer: clock.setTimer,
    uptimeMs: () => scene.snapshot().uptimeMs,
  });
  const { page, complaints } = await openPage(t, await startBrowser(t));
  await page.clock.install();
  await page.goto(url);
  await untilUptime(page, scene.snapshot().uptimeMs);
  /** A status comes after so many seconds. */
  const pass = async (statuses: number, seconds = 1): Promise<void> => {
    for (let status = 0; status < statuses; status++) {
      for (let second = 0; second < seconds; second++) scene.advance();
      clock.advance(1_000);
      await page.clock.runFor(seconds * 1_000 - 20);
      await untilUptime(page, scene.snapshot().uptimeMs);
    }
  };
  return { scene, page, pass, complaints };
}

void t.test('figures are differences of the counters', { skip: noBrowser }, async t => {
  const { scene, page, pass, complaints } = await openScene(t, 235);
  const names = scene.snapshot().upstreams.flatMap(each => [each.name, ...each.backends.map(b => b.backend)]);
  const keep = () => new Map([...names, 'web', 'db'].map(name => [name, scene.cells(name)]));
  const first = keep();
  const none = new Float64Array(0);
  t.equal(await page.locator('.traffic .count').first().innerText(), '–', 'of one status there is no rate');
  await pass(9, 3);
  const before = keep();
  const sessionsBefore = scene.snapshot().sessionsEver;
  await pass(1);
  const since = (earlier: Map<string, Float64Array>, name: string): Counts => {
    const then = earlier.get(name) ?? none;
    return new Counts(scene.cells(name).map((cell, i) => cell - (then[i] ?? 0)));
  };
  const { upstreams, sessions, sessionsEver } = scene.snapshot();

  await t.test('of the instance', async t => {
    const figure = (id: string) => page.locator(`#figure-${id} output`).innerText();
    const note = (id: string) => page.locator(`#figure-${id} .reading .quiet`).innerText();
    reads(t, await figure('rate'), sessionsEver - sessionsBefore, 'sessions per second');
    reads(t, await figure('live'), sessions, 'live sessions');
    const bytes = (side: number): number =>
      ['web', 'db'].reduce((sum, name) => sum + since(before, name).of(LISTENER.bytes, side), 0);
    reads(t, await figure('bytes'), bytes(BY_BACKEND), 'bytes to clients');
    reads(t, await note('bytes'), bytes(BY_CLIENT), 'bytes from clients');
    reads(t, await figure('failures'), 0, 'failures per second');
    const ended = upstreams.reduce((sum, { name }) => sum + since(first, name).total(UPSTREAM.ended), 0);
    // Four sessions that a backend has reset, in the seconds 259 and 260.
    reads(t, await note('failures'), 4 / ended, 'failures of all in a minute');
  });

  await t.test('of each backend', async t => {
    for (const { backends } of upstreams) {
      for (const { backend, takesSessions } of backends) {
        const row = page.getByRole('row').filter({ hasText: backend });
        const text = (selector: string) => row.locator(selector).innerText();
        const [second, minute] = [since(before, backend), since(first, backend)];
        reads(t, await text('.traffic .count'), second.total(BACKEND.connections), `${backend}, sessions`);
        const connect = minute.times(BACKEND.connect);
        if (!takesSessions) {
          t.same([await text('.connect .count'), await text('.errors .count')], ['–', '–'], backend);
          t.equal(await row.locator('.traffic .second').textContent(), '');
          continue;
        }
        const [fromBackend = '', fromClient = ''] = (await text('.traffic .second')).split('↑');
        reads(t, fromBackend, second.of(BACKEND.bytes, BY_BACKEND), `${backend}, bytes`);
        reads(t, fromClient, second.of(BACKEND.bytes, BY_CLIENT), `${backend}, bytes of clients`);
        reads(t, await text('.connect .count'), connect.quantile(0.5) ?? -1, `${backend}, median`);
        const slowest = (await text('.connect .second')).replace('p99', '');
        reads(t, slowest, connect.quantile(0.99) ?? -1, `${backend}, p99`);
        const failed = backend === '10.0.0.13:8080' ? 4 : 0;
        const attempts = minute.total(BACKEND.connections);
        reads(t, await text('.errors .count'), failed / attempts, `${backend}, errors`);
        t.equal(await row.locator('.errors .second').textContent(), failed === 0 ? '' : '4 failed');
      }
    }
  });

  await t.test('of each upstream, and how sessions have ended', async t => {
    for (const { name, backends } of upstreams) {
      const card = page.getByRole('article', { name: `Upstream ${name}` });
      const [live = '', began = '', bytes = '', failed = ''] = await card.locator('dd').allInnerTexts();
      const sum = (of: (counts: Counts) => number): number =>
        backends.reduce((all, { backend }) => all + of(since(before, backend)), 0);
      reads(
        t,
        live,
        backends.reduce((all, each) => all + each.sessions, 0),
        `${name}, sessions`,
      );
      reads(
        t,
        began,
        sum(counts => counts.total(BACKEND.connections)),
        `${name}, new sessions`,
      );
      reads(
        t,
        bytes,
        sum(counts => counts.total(BACKEND.bytes)),
        `${name}, bytes`,
      );
      const ended = since(first, name).total(UPSTREAM.ended);
      reads(t, failed, (name === 'app' ? 4 : 0) / ended, `${name}, failures`);
    }
    const ways = new Map<string, number>();
    for (const { name } of upstreams) {
      const counts = new Counts(scene.cells(name));
      for (const [series, [by = '', , reason = '']] of UPSTREAM.ended.series.entries()) {
        const way = `${by} ${reason}`.replace('balancer ', '');
        ways.set(way, (ways.get(way) ?? 0) + counts.of(UPSTREAM.ended, series));
      }
    }
    const shown = await page.locator('.endings li').allInnerTexts();
    t.same(
      shown.map(text => text.split('\n')),
      [...ways]
        .filter(([, count]) => count > 0)
        .sort(([, one], [, other]) => other - one)
        .map(([way, count]) => [way, count.toLocaleString('en')]),
    );
  });

  await t.test('after a minute a failure is forgotten', async t => {
    await pass(8, 10);
    const row = page.getByRole('row').filter({ hasText: '10.0.0.13:8080' });
    t.match(await row.locator('.errors').innerText(), /^0\s%\s*$/);
    t.same(complaints, []);
  });
});
