/** The dashboard before texts that want to harm it, and before a lock. */
import t from 'tap';
import { MOST_STREAMS } from '../../src/admin/events/event-streams.ts';
import { portOf, startAdmin } from '../harness/admin.ts';
import { noBrowser, openPage, overhang, startBrowser, untilUptime } from '../harness/browser.ts';
import { followEvents } from '../harness/event-stream.ts';
import { backendView, FakeBalancer, snapshotWith, upstreamView } from '../harness/fake-balancer.ts';
import type { ReloadReport } from '../../src/model/reload-report.ts';
import { FakeClock } from '../harness/fake-clock.ts';

const SCRIPT = `<img src=x onerror="window.harmed=1"><script>window.harmed=1</script>`;
const TURNED = 'unix:/run/\u202egpj.exe\u0000\u001b[31m\n';
const browser = noBrowser === false ? await startBrowser(t) : undefined;

void t.test('names, reasons and instances are text, whatever is in them', { skip: noBrowser }, async t => {
  const hostile = upstreamView(SCRIPT, [
    backendView(`unix:/${SCRIPT}`, { state: 'down', takesSessions: false, why: `"'>${SCRIPT}` }),
    backendView(TURNED, { weight: 3 }),
    backendView('__proto__', {}),
    backendView(`unix:/${'x'.repeat(300)}`, {}),
  ]);
  const snapshot = snapshotWith({
    upstreams: [
      {
        ...hostile,
        strategy: SCRIPT,
        overrides: [{ backend: SCRIPT, what: 'state', configured: SCRIPT, now: TURNED }],
      },
      upstreamView('constructor', [backendView('10.0.0.1:80')]),
    ],
    listeners: [
      { name: SCRIPT, addresses: [TURNED], paused: true, pausedMs: 1, engine: 'epoll', sessions: 0 },
    ],
    mirror: {
      instance: SCRIPT,
      upstreams: [
        {
          ...{ upstream: SCRIPT, mode: 'local', ageMs: undefined, others: [SCRIPT, TURNED] },
          trouble: { reason: 'error', message: SCRIPT },
        },
      ],
    },
  });
  const about = { name: SCRIPT, version: '0.1.0', pid: 1 };
  const balancer = Object.assign(new FakeBalancer(), { snapshot: () => snapshot });
  const failed: ReloadReport = {
    ...{
      at: new Date().toISOString(),
      trigger: 'api',
      dryRun: false,
      file: SCRIPT,
      ok: false,
      reason: 'invalid',
    },
    problems: [{ text: SCRIPT }, { text: TURNED }, { text: 'x'.repeat(300) }],
  };
  const port = portOf(balancer, {
    ...{ about, file: SCRIPT, noReload: SCRIPT, lastReload: () => failed },
    logs: () => [
      { log: 'log', destination: `file /${SCRIPT}${'x'.repeat(300)}`, linesLost: 3, brokenAs: TURNED },
    ],
  });
  const { url } = await startAdmin(t, { tcp: true, port });
  const { page, complaints } = await openPage(t, browser, {
    viewport: { width: 390, height: 844 },
  });
  await page.goto(url);
  await page.getByRole('heading', { name: SCRIPT, exact: true }).waitFor();
  t.equal(await page.getByRole('row').count(), 7, 'five backends, and two heads');
  t.equal(await page.locator('.why').first().innerText(), `"'>${SCRIPT}`);
  t.equal(
    await page.locator('tr .address').nth(1).innerText(),
    'unix:/run/\\u202egpj.exe\\u0000\\u001b[31m\\u000a',
  );
  // Check answers, names of instances, and an event that the page does not know.
  const { events } = balancer;
  events.emit('backend:checkFailed', {
    ...{ upstream: SCRIPT, backend: TURNED, reason: `status 500 ${SCRIPT}`, inARow: 1, fall: 3 },
  });
  events.emit('worker:exited', { worker: 1, reason: SCRIPT, sessions: 0 });
  events.emit('mirror:changed', {
    mode: 'local',
    others: 0,
    upstreams: [SCRIPT],
    reason: 'error',
    message: `ERR ${SCRIPT}`,
  });
  events.emit('listener:paused', { listener: `</li>${SCRIPT}` } as never);
  for (const text of [
    `status 500 ${SCRIPT}`,
    `died: ${SCRIPT}`,
    `not shared: ERR ${SCRIPT}`,
    `</li>${SCRIPT}`,
  ])
    await page.locator('#events li', { hasText: text }).waitFor();
  t.match(
    await page.locator('#events .address').first().innerText(),
    'unix:/run/\\u202egpj.exe\\u0000\\u001b[31m\\u000a',
  );
  t.match(await page.locator('#sharing').innerText(), SCRIPT);
  t.match(await page.locator('#configuration').innerText(), SCRIPT);
  t.match(await page.locator('#limits').innerText(), '3 lines lost');
  t.equal(await page.locator('main img, main script').count(), 0);
  t.equal(await page.evaluate('window.harmed'), undefined);
  t.equal(await overhang(page), 0, 'long names do not stand out');
  await page.getByRole('button', { name: /^Change __proto__ of/ }).click();
  await page.getByRole('dialog').getByText(SCRIPT).waitFor();
  t.equal(await page.locator('dialog img, dialog script').count(), 0);
  t.equal(await page.evaluate('window.harmed'), undefined);
  t.same(complaints, []);
});

void t.test('with a token the page asks for it, and keeps it for its tab', { skip: noBrowser }, async t => {
  const { url } = await startAdmin(t, { tcp: true, rules: { token: 'secret' } });
  const { page } = await openPage(t, browser);
  const asked: string[] = [];
  page.on('request', request => asked.push(request.url()));
  await page.goto(url);
  await page.locator('[name=token]').fill('another');
  t.equal(await page.getByRole('row').count(), 0, 'no figure before');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('the bearer token is another one').waitFor();
  await page.locator('[name=token]').fill('secret');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('heading', { name: 'app', exact: true }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'app', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Forget token' }).click();
  await page.locator('[name=token]').waitFor();
  t.equal(await page.getByRole('row').count(), 0, 'and no figure after');
  t.same(
    asked.filter(each => each.includes('secret') || each.includes('another')),
    [],
    'it is in no address',
  );
});

void t.test(
  'where too many pages are open one says so, and takes the next place',
  { skip: noBrowser },
  async t => {
    const { address, url } = await startAdmin(t, { tcp: true });
    const streams = await Promise.all(Array.from({ length: MOST_STREAMS }, () => followEvents(t, address)));
    const { page } = await openPage(t, browser);
    await page.goto(url);
    await page.getByRole('heading', { name: `${MOST_STREAMS} clients follow events already` }).waitFor();
    t.equal(await page.locator('#link').innerText(), 'no room; trying again');
    streams[0]?.close();
    await page.locator('[data-link=live]').waitFor();
    await page.getByRole('heading', { level: 1, name: 'All 2 backends up' }).waitFor();
  },
);

void t.test('of a thousand rows only what has changed is written', { skip: noBrowser }, async t => {
  const clock = new FakeClock();
  let sessions = 1;
  const backends = Array.from({ length: 1_000 }, (_, i) => `10.0.${Math.floor(i / 250)}.${i % 250}:80`);
  const snapshot = () =>
    snapshotWith({
      upstreams: [
        upstreamView(
          'app',
          backends.map((name, i) =>
            backendView(name, { sessions: i === 700 ? sessions : 0, maxSessions: 90 }),
          ),
        ),
      ],
    });
  const port = portOf(Object.assign(new FakeBalancer(), { snapshot }));
  const { url } = await startAdmin(t, { tcp: true, port, setTimer: clock.setTimer, uptimeMs: clock.now });
  const { page, complaints } = await openPage(t, browser);
  await page.clock.install({ time: 1_000_000_000_000 });
  await page.goto(url);
  const next = async (): Promise<void> => {
    clock.advance(1_000);
    await untilUptime(page, clock.now());
  };
  for (;;) {
    await page.clock.runFor(20);
    if ((await page.getByRole('button', { name: 'Show all 1,000 backends' }).count()) === 1) break;
  }
  t.equal(await page.locator('tbody tr').count(), 50);
  await page.getByRole('button', { name: 'Show all 1,000 backends' }).click();
  await next();
  t.equal(await page.locator('tbody tr').count(), 1_000);
  await page
    .getByRole('row')
    .filter({ hasText: backends[700] ?? '' })
    .scrollIntoViewIfNeeded();
  // Rows that are far away have their turn within fifteen statuses.
  for (let status = 0; status <= 16; status++) await next();
  await page.evaluate(`
    window.written = [];
    new MutationObserver(records => {
      for (const { target } of records) {
        const node = target.nodeType === 1 ? target : target.parentElement;
        const row = node.closest('tbody tr');
        if (row) window.written.push(row.querySelector('.address').textContent);
      }
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  `);
  sessions = 30;
  await next();
  const written = await page.evaluate<string[]>('window.written');
  t.same([...new Set(written)], [backends[700]], 'one row');
  t.ok(written.length <= 10, `${written.length} writes for its count, its bar, its sparkline`);
  t.same(complaints, []);
});
