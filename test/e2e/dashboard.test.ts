/** The dashboard in a browser, before a running lb4: its figures are true, and its actions do what they say. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t from 'tap';
import type { LastReload } from '../../src/model/reload-report.ts';
import type { LoadBalancerSnapshot } from '../../src/model/snapshot.ts';
import { formatAddress } from '../../src/support/address.ts';
import { askAdmin } from '../harness/admin.ts';
import { refusingAddress, scripts, startBackend } from '../harness/backend.ts';
import { accessibilityProblems, noBrowser, openPage, overhang, startBrowser } from '../harness/browser.ts';
import { connectClient } from '../harness/client.ts';
import type { Peer } from '../harness/peer.ts';
import { freePort } from '../harness/programs.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { pause, until } from '../harness/until.ts';

void t.test('what a running lb4 does', { skip: noBrowser }, async t => {
  const backends = await Promise.all([0, 1, 2].map(() => startBackend(t, scripts.echo)));
  const [one = '', two = '', three = ''] = backends.map(({ address }) => formatAddress(address));
  const broken = formatAddress(await refusingAddress());
  const file = join(temporaryFolder(t), 'lb4.json');
  const config = (weight: number) => ({
    admin: { bind: '127.0.0.1:0', socket: 'off' },
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [
      {
        ...{ name: 'app', strategy: 'roundrobin', health: { interval: '200ms' } },
        backends: [{ address: one, maxSessions: 10 }, two, { address: three, weight }, broken],
      },
    ],
  });
  writeFileSync(file, JSON.stringify(config(2)));
  const lb4 = await startLb4(t, ['-c', file]);
  const url = `http://${String((await lb4.line(({ event }) => event === 'adminListening'))['address'])}/`;
  await lb4.line(({ event, backend }) => event === 'backendDown' && backend === broken);
  const { hostname: host, port } = new URL(url);
  const admin = { kind: 'tcp', host, port: Number(port) } as const;
  const status = async () =>
    (await askAdmin(admin, 'GET', '/api/v1/status')).json as unknown as LoadBalancerSnapshot;
  const backendAt = async (address: string) =>
    (await status()).upstreams[0]!.backends.find(each => each.backend === address)!;
  const clients: Peer[] = [];
  for (let i = 0; i < 8; i++)
    clients.push(await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port }));
  const connected = (): number[] =>
    backends.map(({ peers }) => peers.filter(({ socket }) => !socket.destroyed).length);
  await until('all clients have their backend', () => connected().reduce((a, b) => a + b) === 8);

  const browser = await startBrowser(t);
  const { page, complaints } = await openPage(t, browser);
  await page.goto(url);
  const row = (address: string) => page.getByRole('row').filter({ hasText: address });
  const shown = (address: string, text: string) => row(address).filter({ hasText: text }).waitFor();

  await t.test('every figure is that of clients, backends and API', async t => {
    await page.locator('#figure-live output', { hasText: /^8$/ }).waitFor();
    for (const [i, address] of [one, two, three].entries()) {
      const count = row(address).locator('.load .count');
      await count.filter({ hasText: new RegExp(`^${connected()[i]}$`) }).waitFor();
    }
    t.equal(await row(one).locator('.load .quiet').innerText(), 'of 10');
    t.equal(await row(one).getByRole('meter').getAttribute('aria-valuemax'), '10');
    t.equal(await row(one).getByRole('meter').getAttribute('aria-valuenow'), String(connected()[0]));
    t.equal(await row(three).locator('.weight .count').innerText(), '2');
    t.match(await row(broken).locator('.state').innerText(), /^down/);
    t.equal(await row(broken).locator('.why').innerText(), (await backendAt(broken)).why);
    t.match(
      await row(broken).locator('.why').innerText(),
      /3 health checks failed .* refused \(ECONNREFUSED\)/,
    );
    t.match(
      await page.getByRole('heading', { level: 1 }).innerText(),
      /^1 of 4 backends down since \d\d:\d\d, panic off, clients unaffected$/,
    );
    t.match(await page.locator('.pill').innerText(), '3 of 4 take sessions');
    const { maxSessions = 0, sessionsEver } = await status();
    t.equal(sessionsEver, 8);
    t.match(await page.locator('#about').innerText(), `web at ${lb4.address} · up for `);
    t.match(await page.locator('#about').innerText(), '8 sessions since its start');
    const limits = await page.locator('#limits').innerText();
    t.match(limits, `8 of ${maxSessions.toLocaleString('en')}`);
    // Workers write them ten times a second; a check may be connected at the moment.
    await until('the page has the source ports that backends see', async () => {
      const shownNow = await page.locator('#limits').innerText();
      return new RegExp(`Source ports to 127.0.0.1:\\d+\\s*${Math.max(...connected())} of `).test(shownNow);
    });
    const open = Number(/Descriptors\s+([\d,]+) of/.exec(limits)?.[1]?.replaceAll(',', ''));
    const truth = readdirSync(`/proc/${lb4.pid}/fd`).length;
    // Health checks and this page come and go.
    t.ok(Math.abs(open - truth) <= 12, `${open} descriptors, ${truth} in /proc`);
    t.match(
      await row(broken).locator('.strip').getAttribute('aria-label'),
      /^The last five minutes: .*down \d+ s/,
    );
    t.match(await page.title(), '▲ default · lb4');
  });

  await t.test('drain is confirmed, done, and taken back', async t => {
    await row(one)
      .getByRole('button', { name: `Change ${one} of app` })
      .click();
    await page.getByRole('radio', { name: 'Drain' }).check();
    t.equal((await backendAt(one)).operator, 'ready', 'nothing before it is confirmed');
    await page.getByRole('button', { name: 'Apply: set it to drain' }).click();
    await shown(one, 'draining');
    t.match(await backendAt(one), { state: 'drain', operator: 'drain', why: 'set by an operator' });
    await page.locator('.overrides li', { hasText: 'state ready → drain' }).waitFor();
    await page.locator('#events li', { hasText: 'set to drain by an operator' }).waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await row(one).filter({ hasNotText: 'draining' }).waitFor();
    t.match(await backendAt(one), { state: 'up', operator: 'ready' });
  });

  await t.test('a weight is changed, and put back to what the file says', async t => {
    await row(two)
      .getByRole('button', { name: /^Change/ })
      .click();
    await page.getByLabel('Weight').fill('7');
    await page.getByRole('button', { name: 'Apply: weight 1 → 7' }).click();
    await page.locator('.overrides li', { hasText: 'weight 1 → 7' }).waitFor();
    t.equal((await backendAt(two)).weight, 7);
    t.equal(await row(two).locator('.weight .count').innerText(), '7');
    await page.getByRole('button', { name: `Put weight of ${two} back` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Put back' }).click();
    await page.locator('.changed').waitFor({ state: 'hidden' });
    t.equal((await backendAt(two)).weight, 1);
  });

  await t.test('a value that the API refuses is said in the dialog, and nothing changes', async t => {
    await row(two)
      .getByRole('button', { name: /^Change/ })
      .click();
    await page.getByLabel('Weight').fill('7');
    await page.evaluate("document.querySelector('[name=weight]').type = 'text'");
    await page.getByLabel('Weight').fill('900');
    await page.evaluate("document.querySelector('dialog form').noValidate = true");
    await page.getByRole('button', { name: /^Apply/ }).click();
    await page.getByRole('alert').filter({ hasText: '256' }).waitFor();
    t.equal((await backendAt(two)).weight, 1);
    await page.keyboard.press('Escape');
    t.equal(complaints.splice(0).length, 1, 'the browser itself reports the answer 400');
  });

  await t.test('one session is ended: its client is reset, the others stay', async t => {
    await row(three)
      .getByRole('button', { name: /^Change/ })
      .click();
    const session = page.getByRole('dialog').getByRole('listitem').first();
    const client = await session.locator('.address').innerText();
    await session.getByRole('button', { name: /^End/ }).click();
    await session.getByRole('button', { name: 'Reset it, for good' }).click();
    await session.filter({ hasText: 'reset' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#figure-live output', { hasText: /^7$/ }).waitFor();
    const gone = clients.filter(({ socket }) => socket.destroyed || socket.readyState !== 'open');
    t.same([gone.length, (await status()).sessions], [1, 7]);
    t.match(client, /^127\.0\.0\.1:\d+$/);
  });

  await t.test('a reload says first what it will change', async t => {
    writeFileSync(file, JSON.stringify(config(5)));
    await page.getByRole('button', { name: 'Reload configuration' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText(`weight`).first().waitFor();
    t.equal((await backendAt(three)).weight, 2, 'nothing before it is confirmed');
    await dialog.getByRole('button', { name: 'Reload' }).click();
    await page.getByText('Reloaded: 1 change').waitFor();
    t.equal((await backendAt(three)).weight, 5);
    const shownNow = page.locator('#configuration');
    await shownNow.getByText('reloaded', { exact: true }).waitFor();
    t.match(await shownNow.innerText(), file);
    t.match(await shownNow.innerText(), / s ago, through the admin API: 1 change\./);
    t.match(await shownNow.getByRole('listitem').allInnerTexts(), [/weight.*2 → 5/]);
  });

  await t.test('a reload that fails is shown with its reasons, until one succeeds', async t => {
    writeFileSync(file, JSON.stringify({ ...config(5), strategy: 'none' }));
    process.kill(lb4.pid, 'SIGHUP');
    const shownNow = page.locator('#configuration');
    await shownNow.getByText('not reloaded').waitFor();
    const { lastReload } = (await askAdmin(admin, 'GET', '/api/v1/status')).json as {
      lastReload: LastReload;
    };
    t.equal(lastReload.ok, false);
    t.match(
      await shownNow.innerText(),
      ' ago, by SIGHUP: not taken over: what it says is wrong. The configuration before',
    );
    t.same(await shownNow.getByRole('listitem').allTextContents(), lastReload.problems);
    t.match(lastReload.problems, [/strategy/]);
    writeFileSync(file, JSON.stringify(config(5)));
    process.kill(lb4.pid, 'SIGHUP');
    await shownNow.getByText('reloaded', { exact: true }).waitFor();
    t.match(await shownNow.innerText(), ' ago, by SIGHUP: 0 changes.');
    t.equal(await shownNow.getByRole('listitem').count(), 0);
  });

  await t.test('a log whose destination is broken is shown, with what it has lost', async t => {
    const limits = page.locator('#limits');
    t.match(await limits.innerText(), /\nLog\s+standard error/);
    const syslog = { type: 'syslog', address: `tcp:127.0.0.1:${await freePort()}` };
    writeFileSync(file, JSON.stringify({ ...config(5), log: { access: { to: syslog } } }));
    process.kill(lb4.pid, 'SIGHUP');
    const access = limits.getByRole('listitem').filter({ hasText: 'Access log' });
    await access.waitFor();
    // It is tried with the first line; sessions that end in the moment of the reload may have none.
    const broken = access.getByText('takes no lines (ECONNREFUSED)');
    await until('its trouble is shown', async () => {
      const peer = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
      peer.socket.destroy();
      await pause(100);
      return broken.isVisible();
    });
    t.match(await access.innerText(), syslog.address.slice('tcp:'.length));
    t.equal(await access.locator('.count').getAttribute('data-tone'), 'bad');
    writeFileSync(file, JSON.stringify(config(5)));
    process.kill(lb4.pid, 'SIGHUP');
    await access.waitFor({ state: 'detached' });
  });

  await t.test('everything can be reached with the keyboard alone', async t => {
    const focused = () =>
      page.evaluate<string>(
        'document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent',
      );
    await page.reload();
    await shown(one, 'up');
    await page.keyboard.press('Tab');
    t.equal(await focused(), 'Skip to the upstreams');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    t.equal(await focused(), `Change ${one} of app`);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    t.equal(await focused(), `Change ${one} of app`, 'and one is back where one was');
  });

  await t.test('axe finds nothing serious, the page fits a phone, and the console is silent', async t => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const [width, height] of [
        [1440, 900],
        [390, 844],
      ] as const) {
        await page.setViewportSize({ width, height });
        t.same(await accessibilityProblems(page), [], `${colorScheme}, ${width}`);
        t.equal(await overhang(page), 0, `nothing stands out at ${width}`);
      }
    }
    await openedDialog(page, async () => t.same(await accessibilityProblems(page), [], 'with a dialog open'));
    t.same(complaints, []);
  });

  await t.test('it says when lb4 has gone', async t => {
    lb4.child.kill('SIGKILL');
    await page.locator('[data-link=lost]').waitFor();
    t.match(await page.locator('#link').innerText(), 'no answer');
  });
});

async function openedDialog(page: Page, look: () => Promise<unknown>): Promise<void> {
  await page
    .getByRole('button', { name: /^Change/ })
    .first()
    .click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).waitFor();
  await look();
  await page.keyboard.press('Escape');
}
