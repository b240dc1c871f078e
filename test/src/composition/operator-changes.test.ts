/** What operators have changed, taken from one balancer and followed in the next. */
import t from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../../src/index.ts';
import { operatorChanges } from '../../../src/composition/operator-changes.ts';

const config = (backends: readonly string[], name = 'app'): ConfigInput => ({
  ...{ engine: 'node', workers: 0 },
  listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: name }],
  upstreams: [{ name, health: 'off', backends: [...backends] }],
});

void t.test('changes are followed before a client comes, as far as they fit the configuration', async t => {
  const first = createLoadBalancer(
    config(['a.invalid:1@2', '127.0.0.1:2@2', '127.0.0.1:3@2', '127.0.0.1:4']),
  );
  await first.start();
  t.teardown(() => first.stop());
  first.setBackendState('app', 'a.invalid:1', 'maint');
  first.setBackendWeight('app', '127.0.0.1:2', 0);
  first.setBackendWeight('app', '127.0.0.1:3', 9);
  first.removeBackend('app', '127.0.0.1:4');
  first.addBackend('app', { address: '127.0.0.1:5', weight: 3, maxSessions: 7, backup: true });
  first.addBackend('app', '127.0.0.1:6');
  first.setBackendState('app', '127.0.0.1:6', 'drain');
  const changes = operatorChanges(first.snapshot().upstreams);

  const follow = async (input: ConfigInput) => {
    const next = createLoadBalancer(input, { inheritance: { sockets: [], changes } });
    await next.start();
    t.teardown(() => next.stop());
    return next.snapshot().upstreams[0];
  };
  const same = await follow(config(['a.invalid:1@2', '127.0.0.1:2@2', '127.0.0.1:3@2', '127.0.0.1:4']));
  t.same(same?.overrides, first.snapshot().upstreams[0]?.overrides);
  t.match(same?.backends[3], { backend: '127.0.0.1:5', weight: 3, maxSessions: 7, backup: true });

  // One weight is new, a backend that was added is configured by now, and one is gone.
  const other = await follow(config(['127.0.0.1:2@2', '127.0.0.1:3@4', '127.0.0.1:5']));
  t.same(
    other?.backends.map(({ backend, weight, operator }) => [backend, weight, operator]),
    [
      ['127.0.0.1:2', 0, 'ready'],
      ['127.0.0.1:3', 4, 'ready'],
      ['127.0.0.1:5', 1, 'ready'],
      ['127.0.0.1:6', 1, 'drain'],
    ],
  );
  const renamed = await follow(config(['127.0.0.1:2@2'], 'web'));
  t.same(renamed?.overrides, []);
});
