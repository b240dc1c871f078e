/** Sessions through the admin API: filters are typed, and what is ended is what matches. */
import t from 'tap';
import { portOf, startAdmin } from '../../harness/admin.ts';
import { FakeBalancer, sessionView } from '../../harness/fake-balancer.ts';
import type { Teardown } from '../../harness/teardown.ts';

const HOUR = 3_600_000;

async function started(t: Teardown) {
  const balancer = new FakeBalancer();
  balancer.running = [
    sessionView('1-a', {
      clientAddress: '10.1.2.3',
      bytesFromClient: 5_000,
      startedAtMs: Date.now() - 2 * HOUR,
    }),
    sessionView('1-b', { clientAddress: '10.2.0.1', backend: '10.0.0.2:80', listener: 'other' }),
    sessionView('2-a', { clientAddress: 'fd00::7', upstream: 'cache', backend: undefined, phase: 'queue' }),
    sessionView('2-b', { clientAddress: '', clientPort: 0 }),
  ];
  return { balancer, ...(await startAdmin(t, { port: portOf(balancer) })) };
}

void t.test('each filter selects, and together they select what matches all of them', async t => {
  const { ask } = await started(t);
  const ids = async (query: string): Promise<unknown> => {
    const { sessions } = (await ask('GET', `/api/v1/sessions${query}`)).json as {
      sessions: { id: string }[];
    };
    return sessions.map(({ id }) => id);
  };
  t.same(await ids(''), ['1-a', '1-b', '2-a', '2-b']);
  t.same(await ids('?upstream=cache'), ['2-a']);
  t.same(await ids('?listener=other'), ['1-b']);
  t.same(await ids('?backend=10.0.0.1%3A80'), ['1-a', '2-b']);
  t.same(await ids('?client=10.0.0.0/8'), ['1-a', '1-b']);
  t.same(await ids('?client=10.1.2.3'), ['1-a']);
  t.same(await ids('?client=fd00::/8'), ['2-a']);
  t.same(await ids('?client=::ffff:10.1.0.0/112'), ['1-a']);
  t.same(await ids('?olderThan=1h'), ['1-a']);
  t.same(await ids('?moreBytesThan=4KiB'), ['1-a']);
  t.same(await ids('?moreBytesThan=30'), ['1-a']);
  t.same(await ids('?moreBytesThan=29'), ['1-a', '1-b', '2-a', '2-b']);
  t.same(await ids('?client=10.0.0.0/8&olderThan=1m&upstream=app'), ['1-a']);
  t.same(await ids('?upstream=nowhere'), []);
});

void t.test('a session has its client, backend, age and bytes', async t => {
  const { ask } = await started(t);
  const { json } = await ask('GET', '/api/v1/sessions?client=10.1.2.3');
  t.match(json, {
    more: false,
    sessions: [
      { id: '1-a', clientAddress: '10.1.2.3', clientPort: 40_000, upstream: 'app', backend: '10.0.0.1:80' },
    ],
  });
  const [session] = json['sessions'] as { ageMs: number; startedAt: string }[];
  t.ok((session?.ageMs ?? 0) >= 2 * HOUR);
  t.match(session?.startedAt, /^\d{4}-.*Z$/);
});

void t.test('beyond the limit there are more', async t => {
  const { ask } = await started(t);
  const { json } = await ask('GET', '/api/v1/sessions?limit=3');
  t.equal((json['sessions'] as unknown[]).length, 3);
  t.equal(json['more'], true);
});

void t.test('a filter that is unknown or no such value is a 400 that names it', async t => {
  const { ask, balancer } = await started(t);
  for (const [query, detail] of [
    ['colour=red', /unknown parameter "colour"; there are listener, upstream, backend, client, olderThan/],
    ['client=10.0.0.0/33', /client: expected an IP address or a network/],
    ['client=localhost', /client: expected/],
    ['olderThan=5', /olderThan: expected a duration/],
    ['olderThan=-5s', /olderThan: expected a duration/],
    ['moreBytesThan=1.5MiB', /moreBytesThan: expected a number of bytes/],
    ['limit=0', /limit: expected an integer from 1 to 100000/],
    ['upstream=', /upstream: expected the name of an upstream/],
    ['upstream=a&upstream=b', /"upstream" is given twice/],
  ] as const) {
    for (const method of ['GET', 'DELETE']) {
      const answer = await ask(method, `/api/v1/sessions?${query}`);
      t.match(answer, { status: 400, json: { detail } }, `${method} ${query}`);
    }
  }
  t.equal(balancer.running.length, 4);
});

void t.test('one session is ended by its id, and is logged', async t => {
  const { ask, balancer, entries } = await started(t);
  t.same((await ask('DELETE', '/api/v1/sessions/1-b')).json, { ended: 1 });
  t.same(
    balancer.running.map(({ id }) => id),
    ['1-a', '2-a', '2-b'],
  );
  t.match(entries, [{ event: 'adminChange', fields: { session: '1-b', backend: '10.0.0.2:80' } }]);
  t.match(await ask('DELETE', '/api/v1/sessions/1-b'), {
    status: 404,
    json: { detail: 'no session "1-b" runs' },
  });
});

void t.test(
  'all that match are ended, at most as many as the limit; never all there are by mistake',
  async t => {
    const { ask, balancer, entries } = await started(t);
    t.match(await ask('DELETE', '/api/v1/sessions'), { status: 400, json: { detail: /at least one/ } });
    t.match(await ask('DELETE', '/api/v1/sessions?limit=1'), { status: 400 });
    t.equal(balancer.running.length, 4);
    t.same((await ask('DELETE', '/api/v1/sessions?client=10.0.0.0/8&limit=1')).json, { ended: 1 });
    t.same((await ask('DELETE', '/api/v1/sessions?client=10.0.0.0/8')).json, { ended: 1 });
    t.equal(balancer.running.length, 2);
    t.match(entries[0], { message: /sessions ended: 1, of those with client 10.0.0.0\/8/ });
  },
);
