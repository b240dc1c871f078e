/** The dashboard's files as a browser gets them; test/e2e/dashboard.test.ts has the page in a browser. */
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { DASHBOARD_FILES } from '../../../src/admin/dashboard-files.ts';
import { startAdmin } from '../../harness/admin.ts';

const FOLDER = new URL('../../../../src/admin/dashboard/', import.meta.url);

void t.test('each file is there, with its type, and may load nothing from elsewhere', async t => {
  const { ask } = await startAdmin(t, { tcp: true });
  for (const { path, type } of DASHBOARD_FILES) {
    const { status, headers, text } = await ask('GET', path);
    t.equal(status, 200, path);
    t.equal(headers['content-type'], type);
    t.equal(headers['x-content-type-options'], 'nosniff');
    t.equal(Number(headers['content-length']), Buffer.byteLength(text));
    t.notMatch(text, 'sourceMappingURL', `${path}: it would be asked for, and is not there`);
    const policy = String(headers['content-security-policy']);
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; /);
    t.match(policy, "require-trusted-types-for 'script'");
    t.notMatch(policy, /unsafe|https?:|data:|\*/);
  }
  t.equal((await ask('POST', '/')).status, 405);
  t.equal((await ask('HEAD', '/')).text, '');
});

void t.test('a file of the folder is served, and what the page names is there', async t => {
  const own = readdirSync(FOLDER);
  const served = new Set(DASHBOARD_FILES.map(({ path }) => path));
  for (const name of own.filter(each => each !== 'index.html')) t.ok(served.has(`/dashboard/${name}`), name);
  for (const name of own) {
    const text = readFileSync(new URL(name, FOLDER), 'utf8');
    for (const [, path = ''] of text.matchAll(/(?:src|href)="(\/[^"]*)"/g)) t.ok(served.has(path), path);
  }
  // Also what tsc has written: it may import what the page has beside it.
  for (const { path: by, text } of DASHBOARD_FILES)
    for (const [, path = ''] of text().matchAll(/^import .* from ['"](.+)['"]/gm))
      t.ok(served.has(path.replace('./', '/dashboard/')), `${by} imports ${path}`);
});

void t.test('no text becomes HTML or code: nothing in the sources could do that', async t => {
  for (const { path, text } of DASHBOARD_FILES.filter(each => !each.path.includes('uplot'))) {
    const dangerous =
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|<style|<script>|\sstyle="|\son\w+="|https?:\/\/(?!www\.w3\.org)/;
    t.notMatch(text(), dangerous, path);
  }
});

void t.test('with a token the page is open, and its figures are not', async t => {
  const { ask } = await startAdmin(t, { tcp: true, rules: { token: 'secret' } });
  for (const { path } of DASHBOARD_FILES) t.equal((await ask('GET', path)).status, 200, path);
  t.equal((await ask('GET', '/api/v1/status')).status, 401);
});

void t.test('the page is for names of this machine, as the API is', async t => {
  const { ask } = await startAdmin(t, { tcp: true });
  const headers = { host: 'evil.example' };
  for (const { path } of DASHBOARD_FILES) t.equal((await ask('GET', path, { headers })).status, 403, path);
});
