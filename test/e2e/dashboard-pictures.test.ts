/**
 * Pictures of the dashboard for docs/images, of a scene that looks the same each time: five minutes of a small site.
 *
 * On demand: `LB4_TEST_PICTURES=write npm test -- dist/test/e2e/dashboard-pictures.test.js` writes them.
 */
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import t from 'tap';
import { portOf, startAdmin } from '../harness/admin.ts';
import { noBrowser, openPage, overhang, startBrowser } from '../harness/browser.ts';
import { Scene, SCENE_END_MS, SCENE_EVENTS, SCENE_SECONDS } from '../harness/dashboard-scene.ts';
import { FakeBalancer } from '../harness/fake-balancer.ts';
import { FakeClock } from '../harness/fake-clock.ts';

const FOLDER = new URL('../../../docs/images/', import.meta.url);
const MOST_BYTES = 250_000;
const isAsked = process.env['LB4_TEST_PICTURES'] === 'write';

const SIZES = [
  { name: 'dashboard', width: 1440, height: 1100 },
  { name: 'dashboard-phone', width: 390, height: 1560 },
] as const;

// Five minutes, second by second, take half a one.
t.setTimeout(120_000);

void t.test(
  'the pictures',
  { timeout: 120_000, skip: noBrowser || (!isAsked && 'only with LB4_TEST_PICTURES=write') },
  async t => {
    mkdirSync(FOLDER, { recursive: true });
    const browser = await startBrowser(t);
    const clock = new FakeClock();
    const scene = new Scene();
    const balancer = Object.assign(new FakeBalancer(), {
      snapshot: () => scene.snapshot(),
      counters: () => scene.counters(),
    });
    const { name, version, pid } = scene.snapshot();
    const { url } = await startAdmin(t, {
      tcp: true,
      port: portOf(balancer, {
        ...{ about: { name, version, pid }, file: '/etc/lb4/lb4.yaml' },
        reload: () => Promise.reject(new Error('nobody presses it')),
        logs: () => [{ log: 'log', destination: 'standard error', linesLost: 0 }],
      }),
      setTimer: clock.setTimer,
      uptimeMs: () => scene.snapshot().uptimeMs,
      wallClock: () => SCENE_END_MS - (SCENE_SECONDS - scene.second) * 1_000,
    });
    const pages: Page[] = [];
    for (const { width, height } of SIZES) {
      const { page } = await openPage(t, browser, { viewport: { width, height }, timezoneId: 'UTC' });
      await page.clock.install({ time: SCENE_END_MS - SCENE_SECONDS * 1_000 });
      await page.goto(url);
      pages.push(page);
    }
    const seen = async (page: Page): Promise<boolean> => {
      const { uptimeMs } = scene.snapshot();
      return page.evaluate<boolean>(`document.documentElement.dataset.uptime === '${uptimeMs}'`);
    };
    for (let second = 2; second <= SCENE_SECONDS; second++) {
      scene.advance();
      for (const each of SCENE_EVENTS.filter(event => event.second === second))
        balancer.events.emit(each.event as never, each.fields as never);
      clock.advance(1_000);
      for (const page of pages) {
        await page.clock.runFor(900);
        for (;;) if (await seen(page)) break;
      }
    }
    for (const [i, page] of pages.entries()) {
      const { name: file = '', width = 0 } = SIZES[i] ?? {};
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await page.clock.runFor(500);
        t.equal(await overhang(page), 0, `nothing stands out at ${width}`);
        const path = fileURLToPath(new URL(`${file}-${colorScheme}.png`, FOLDER));
        await page.screenshot({ path });
        t.ok(statSync(path).size <= MOST_BYTES, `${path} has ${statSync(path).size} bytes`);
      }
    }
  },
);
