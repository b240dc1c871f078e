/** Rates, failures and times to connect are what the totals of the looks say. */
import t from 'tap';
import type { BackendCounted } from '../../../src/model/counted-view.ts';
import { Figures, toneOfFailures } from '../../../src/observe/figures.ts';
import { backendView, snapshotWith, upstreamView } from '../../harness/fake-balancer.ts';

type Look = Parameters<Figures['add']>[0];

interface Totals {
  readonly pid?: number;
  readonly sent?: number;
  readonly failed?: number;
  readonly connect?: BackendCounted['connect'];
}

/** After so many seconds: a backend that has sent so much, and the same of its listener and upstream. */
function looked(second: number, { pid = 1, sent = 0, failed = 0, connect = [] }: Totals): Look {
  const bytes = { client: sent / 10, backend: sent };
  const connections = connect.reduce((sum, [, times]) => sum + times, 0);
  const backend = {
    ...backendView('a:1'),
    counts: { connections, connectFailures: failed, resets: 0, bytes, connect },
  };
  const ended = [
    { by: 'client', phase: 'relay', reason: 'closed', sessions: connections },
    { by: 'balancer', phase: 'connect', reason: 'noBackend', sessions: failed },
  ];
  return {
    ...snapshotWith(),
    ...{ pid, uptimeMs: 10_000 + second * 1_000 },
    listeners: [
      {
        ...{ name: 'web', addresses: [], paused: false, pausedMs: undefined, engine: 'epoll', sessions: 0 },
        counts: { started: 0, bytes, refused: [] },
      },
    ],
    upstreams: [
      {
        ...upstreamView('app', [backend]),
        backends: [backend],
        counts: { ended, retries: 0, redispatches: 0 },
      },
    ],
  };
}

const kinds = (figures: Figures) => [
  figures.instance,
  figures.upstream('app'),
  figures.backend('app', 'a:1'),
];

void t.test(
  'rates are of the time between two looks, and what was before the first is in no figure',
  async t => {
    const figures = new Figures();
    figures.add(looked(0, { sent: 5_000, failed: 7, connect: [[-80, 100]] }));
    const none = { bytes: undefined, connections: undefined, failures: undefined };
    for (const flow of kinds(figures)) t.same(flow, { ...none, all: 0, failed: 0, connect: [] });
    figures.add(looked(2, { sent: 9_000, failed: 8, connect: [[-80, 130]] }));
    for (const { bytes, connections, failures } of kinds(figures)) {
      t.same(bytes, { client: 200, backend: 2_000 });
      t.same([connections, failures], [15, 0.5]);
    }
    figures.add(looked(3, { sent: 9_000, failed: 8, connect: [[-80, 130]] }));
    for (const { bytes, connections, failures } of kinds(figures)) {
      t.same(bytes, { client: 0, backend: 0 });
      t.same([connections, failures], [0, 0]);
    }
  },
);

void t.test('failures and times to connect are those of the last minute', async t => {
  const figures = new Figures();
  figures.add(looked(0, {}));
  figures.add(looked(1, { failed: 5, connect: [[-80, 15]] }));
  for (const { all, failed, connect } of kinds(figures)) t.same([all, failed, connect], [20, 5, [[-80, 15]]]);
  for (let second = 2; second <= 100; second++)
    figures.add(
      looked(second, {
        failed: 5,
        connect: [
          [-80, 15],
          [-40, second - 1],
        ],
      }),
    );
  for (const { all, failed, connect } of kinds(figures)) {
    t.equal(failed, 0, 'the failures are forgotten');
    t.ok(all >= 59 && all <= 70, String(all));
    t.same(connect, [[-40, all]]);
  }
});

void t.test('another process begins anew, a backend that begins again has no rate below 0', async t => {
  const figures = new Figures();
  figures.add(looked(0, { sent: 5_000 }));
  figures.add(looked(1, { sent: 6_000 }));
  figures.add(looked(2, { sent: 500 }));
  t.same(figures.backend('app', 'a:1').bytes, { client: 50, backend: 500 });
  figures.add(looked(3, { sent: 90, pid: 2 }));
  t.equal(figures.instance.bytes, undefined);
});

void t.test('a backend that is newer than the oldest totals counts from its first look on', async t => {
  const figures = new Figures();
  const empty = looked(0, {});
  figures.add({ ...empty, upstreams: empty.upstreams.map(each => ({ ...each, backends: [] })) });
  figures.add(looked(1, { failed: 5, connect: [[-80, 15]] }));
  const { all, failed, connect } = figures.backend('app', 'a:1');
  t.same([all, failed, connect], [20, 5, [[-80, 15]]]);
});

void t.test('a listener that has gone leaves no bytes behind, and takes none', async t => {
  const figures = new Figures();
  const withOther = (second: number, sent: number): Look => {
    const look = looked(second, { sent });
    const [web] = look.listeners;
    return {
      ...look,
      listeners: [...look.listeners, ...(web === undefined ? [] : [{ ...web, name: 'old' }])],
    };
  };
  figures.add(withOther(0, 5_000));
  figures.add(withOther(1, 6_000));
  t.same(figures.instance.bytes, { client: 200, backend: 2_000 });
  figures.add(looked(2, { sent: 7_000 }));
  t.same(figures.instance.bytes, { client: 100, backend: 1_000 });
});

void t.test('a status that comes twice changes no figure', async t => {
  const figures = new Figures();
  figures.add(looked(0, { sent: 5_000 }));
  figures.add(looked(1, { sent: 6_000, failed: 3 }));
  figures.add(looked(1, { sent: 6_000, failed: 3 }));
  for (const { bytes, failed } of kinds(figures))
    t.same([bytes, failed], [{ client: 100, backend: 1_000 }, 3]);
});

void t.test('one failure in a hundred is bad, fewer are a warning, and none is neither', t => {
  const tones = [
    [0, 100],
    [1, 101],
    [1, 100],
    [50, 100],
    [1, 0],
  ].map(([failed = 0, all = 0]) => toneOfFailures(failed, all));
  t.same(tones, [undefined, 'warn', 'bad', 'bad', 'bad']);
  t.end();
});
