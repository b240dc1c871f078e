/** Bulk flows beside small requests, over the benchmark's own backends with no balancer between. */
import t from 'tap';
import { portsOf, startBackends } from '../../bench/backend/backend.ts';
import { startBulk } from '../../bench/load/bulk-process.ts';
import { BODY_BYTES, REQUEST, response } from '../../bench/load/messages.ts';
import { runPaced } from '../../bench/load/paced-client.ts';
import { Children } from '../../bench/processes/children.ts';

void t.test('one port answers small requests and bulk, each on its connections', async t => {
  const children = new Children();
  t.teardown(() => children.stopAll());
  const [port = 0] = portsOf(await startBackends(children, 1, ['mixed']), 'mixed');
  const bulk = await startBulk(children, { port, flows: 2, warmUpMs: 50, measureMs: 200 });
  const small = await runPaced({
    port,
    connections: 4,
    ratePerSecond: 200,
    request: REQUEST,
    response: response(BODY_BYTES.small, 'keep-alive'),
    warmUpMs: 50,
    measureMs: 300,
    answerWithinMs: 5_000,
    startCpuMeter: () => () => ({ balancer: undefined, stolenPercent: undefined }),
  });
  t.equal(small.errors, 0);
  t.equal(small.latenciesMs.length, 60);
  const { megabytesPerSecond, errors } = await bulk.result;
  t.ok(megabytesPerSecond > 0);
  t.equal(errors, 0);
  await bulk.stop();
});

void t.test('flows that nothing answers are errors, not a rate', async t => {
  const children = new Children();
  t.teardown(() => children.stopAll());
  // Nothing listens on port 1.
  const bulk = await startBulk(children, { port: 1, flows: 2, warmUpMs: 10, measureMs: 10 });
  t.match(await bulk.result, { megabytesPerSecond: 0, errors: 2 });
});
