/** An upgrade through the admin API, and its sockets in the hands of another server. */
import { existsSync } from 'node:fs';
import t from 'tap';
import { AdminServer } from '../../../src/admin/admin-server.ts';
import { loadLibc } from '../../../src/linux/libc.ts';
import { duplicate } from '../../../src/linux/listening-sockets.ts';
import type { UpgradeReport } from '../../../src/model/upgrade-report.ts';
import { setUnrefTimer } from '../../../src/support/timer.ts';
import { fakePort, recordingLog, startAdmin, askAdmin } from '../../harness/admin.ts';

const loaded = loadLibc();

void t.test('the answer says who has taken over, or why there is nobody', async t => {
  let report: UpgradeReport = { ok: true, pid: 7, version: '0.2.0' };
  const { ask, entries } = await startAdmin(t, {
    port: fakePort(undefined, { upgrade: () => Promise.resolve(report) }),
  });
  t.match(await ask('POST', '/api/v1/upgrade'), { status: 200, json: { pid: 7, version: '0.2.0' } });
  t.match(entries, [{ event: 'adminChange', message: 'upgrade asked for (through the unix socket)' }]);
  report = { ok: false, reason: 'refused', problems: ['lb4 is starting'] };
  t.match(await ask('POST', '/api/v1/upgrade'), { status: 409, json: { detail: 'lb4 is starting' } });
  report = { ok: false, reason: 'failed', problems: ['a', 'b'] };
  t.match(await ask('POST', '/api/v1/upgrade'), { status: 422, json: { detail: 'a; b' } });
  t.equal((await ask('GET', '/api/v1/upgrade')).status, 405);
  const none = await startAdmin(t);
  t.equal((await none.ask('POST', '/api/v1/upgrade')).status, 404);
});

void t.test(
  'its socket is answered at by both, then by the successor, which removes the file at its end',
  { skip: loaded.ok ? false : loaded.reason },
  async t => {
    if (!loaded.ok) return;
    const { libc } = loaded;
    const first = await startAdmin(t);
    const { address } = first;
    const path = address.kind === 'unix' ? address.path : '';
    const inherited = first.server
      .toHandOver()
      .map(each => ({ ...each, fds: each.fds.map(fd => duplicate(libc, fd)) }));
    const next = new AdminServer({
      port: fakePort(undefined, { about: { name: 'default', version: '0.2.0', pid: 2 } }),
      rules: { token: undefined, hosts: [] },
      inherited,
      mostClients: 128,
      log: recordingLog([]),
      setTimer: setUnrefTimer,
      libc: () => libc,
      wallClock: () => 0,
      uptimeMs: () => 1,
    });
    t.teardown(() => next.close());
    t.ok(next.inherits(address));
    await next.listen(address);
    const taken = next.takenOver();
    t.equal(taken.length, 1);
    first.server.handOver(taken);
    next.own();
    t.match(await askAdmin(address, 'GET', '/api/v1/status'), { status: 200, json: { pid: 2 } });
    first.server.close();
    t.ok(existsSync(path));
    next.close();
    t.notOk(existsSync(path));
  },
);
