/**
 * Chromium without a window, as Debian has it, for pages that lb4 serves.
 *
 * A page collects what its console says, so that a test can hold it to silence.
 */
import axe from 'axe-core';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { find, skipWithout } from './programs.ts';
import type { Teardown } from './teardown.ts';

/** For a test's `skip`. */
export const noBrowser = skipWithout('chromium');

/** It ends with the test. */
export async function startBrowser(t: Teardown): Promise<Browser> {
  const executablePath = find('chromium') ?? '';
  // Root has no sandbox; the pages are lb4's own.
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  t.teardown(() => browser.close());
  return browser;
}

export interface Opened {
  readonly page: Page;
  /** Errors and warnings of the console, and exceptions. */
  readonly complaints: string[];
}

/** It is closed with the test; its browser may be that of a whole file, which has none where its tests are skipped. */
export async function openPage(
  t: Teardown,
  browser: Browser | undefined,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  if (browser === undefined) throw new Error('no browser was started');
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(String(error)));
  return { page, complaints };
}

/** Lets the page's own clock go on until the dashboard shows the status of this time. */
export async function untilUptime(page: Page, uptimeMs: number): Promise<void> {
  for (;;) {
    await page.clock.runFor(20);
    if (await page.evaluate<boolean>(`document.documentElement.dataset.uptime === '${uptimeMs}'`)) return;
  }
}

/** What axe-core finds that is serious or worse, as `rule: selectors`. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

/** How far the page is wider than its window. */
export function overhang(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
}
