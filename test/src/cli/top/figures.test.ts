/** Bytes, failures and times to connect of `lb4 top` are what the totals of its looks say. */
import t from 'tap';
import { Figures } from '../../../../src/cli/top/figures.ts';
import type { StatusAnswer } from '../../../../src/cli/client/status.ts';
import { bytesText, failedText, timeText } from '../../../../src/cli/top/view-values.ts';
import type { BackendCounted } from '../../../../src/model/counted-view.ts';
import { backendView, snapshotWith, upstreamView } from '../../../harness/fake-balancer.ts';

interface Totals {
  readonly pid?: number;
  readonly sent?: number;
  readonly failed?: number;
  readonly connect?: BackendCounted['connect'];
}

/** After so many seconds: a backend that has sent so much, and the same of its listener and upstream. */
function looked(second: number, { pid = 1, sent = 0, failed = 0, connect = [] }: Totals): StatusAnswer {
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
    ...{ name: 'default', version: '0.1.0', pid, uptimeMs: 10_000 + second * 1_000 },
    listeners: [
      {
        ...{ name: 'web', addresses: [], paused: false, pausedMs: undefined, sessions: 0 },
        counts: { started: 0, bytes },
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
  'bytes are of the time between two looks, and what was before the first is in no figure',
  async t => {
    const figures = new Figures();
    figures.add(looked(0, { sent: 5_000, failed: 7, connect: [[-80, 100]] }));
    for (const flow of kinds(figures)) t.same(flow, { bytes: undefined, all: 0, failed: 0, connect: [] });
    figures.add(looked(2, { sent: 9_000, failed: 7, connect: [[-80, 100]] }));
    for (const { bytes } of kinds(figures)) t.same(bytes, { client: 200, backend: 2_000 });
    figures.add(looked(3, { sent: 9_000, failed: 7, connect: [[-80, 100]] }));
    for (const { bytes } of kinds(figures)) t.same(bytes, { client: 0, backend: 0 });
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

void t.test('the values as text', async t => {
  t.same([0, 999.4, 1_000, 9_940, 10_400, 34e6, 1.5e15].map(bytesText), [
    ...['0', '999', '1.0k', '9.9k', '10k', '34M', '1500T'],
  ]);
  const failed = (all: number, of: number) => failedText({ all, failed: of });
  t.same(
    [failed(0, 0), failed(9, 0), failed(9_000, 1), failed(1_000, 4), failed(100, 12), failed(3, 4)],
    ['-', '0%', '<0.1%', '0.4%', '12%', '100%'],
  );
  const time = (bucket: number) => timeText([[bucket, 1]], 0.99);
  t.same(
    [timeText([], 0.5), time(-90), time(-50), time(8), time(41)],
    ['-', '0.4ms', '13ms', '2.0s', '>32s'],
  );
});
