/** lb4 under the variables that Kubernetes, Compose and people set: injected, empty, misspelt. */
import t from 'tap';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { formatAddress } from '../../src/support/address.ts';

const VARIABLES = [
  ...['CONFIG', 'BACKENDS', 'STRATEGY', 'LISTEN', 'HEALTH', 'HEALTH_INTERVAL', 'CONNECT_TIMEOUT'],
  ...['IDLE_TIMEOUT', 'DRAIN_TIMEOUT', 'POOL_WARM', 'MAX_SESSIONS', 'WORKERS', 'ENGINE', 'REDIS'],
  ...['LOG_LEVEL', 'LOG_FORMAT', 'ACCESS_LOG', 'PID_FILE'],
].map(name => `LB4_${name}`);

void t.test('every variable empty, and a service called lb4: it starts and serves as with none', async t => {
  const backend = await startBackend(t);
  const args = ['-b', formatAddress(backend.address), '-l', '127.0.0.1:0', '--health', 'off'];
  const lb4 = await startLb4(t, args, {
    env: {
      ...Object.fromEntries(VARIABLES.map(name => [name, ''])),
      LB4_WORKERS: '0',
      LB4_WORKRES: '4',
      LB4_SERVICE_HOST: '10.3.104.46',
      LB4_PORT: 'tcp://10.3.104.46:8080',
      LB4_PORT_8080_TCP: 'tcp://10.3.104.46:8080',
      LB4_REDIS_SERVICE_PORT: '6379',
      LB4_ACCESS_LOG: 'yes',
    },
  });
  const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
  client.halfClose();
  (await backend.next()).halfClose();
  await client.untilEnded();
  await lb4.line(({ event }) => event === 'session');
  const warnings = lb4.lines.filter(({ event }) => event === 'unknownVariable');
  t.match(warnings, [{ level: 'warn', name: 'LB4_WORKRES', meant: 'LB4_WORKERS' }]);
  t.equal(warnings.length, 1, 'nothing is said of the others');
  t.equal(await lb4.stop(), 0);
});
