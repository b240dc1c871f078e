import t from 'tap';
import {
  optionsFromEnvironment,
  unknownVariables,
  variableOf,
} from '../../../../src/config/source/environment.ts';

const OPTIONS = ['config', 'workers', 'backends', 'redis', 'max-sessions', 'access-log'];
const unknown = (env: Record<string, string>, used: string[] = []) =>
  unknownVariables(env, OPTIONS, new Set(used)).map(({ name, meant }) => `${name}: ${meant ?? 'unknown'}`);

void t.test('an option has one variable', async t => {
  t.equal(variableOf('max-sessions'), 'LB4_MAX_SESSIONS');
  t.same(
    [...optionsFromEnvironment({ LB4_MAX_SESSIONS: '5', LB4_OTHER: '6', MAX_SESSIONS: '7' }, OPTIONS)],
    [['max-sessions', '5']],
  );
});

void t.test('an empty variable is an unset one, whichever option it is for', async t => {
  for (const nothing of ['', ' ', '\t', '\r\n']) {
    const env = Object.fromEntries(OPTIONS.map(option => [variableOf(option), nothing]));
    t.equal(optionsFromEnvironment(env, OPTIONS).size, 0, JSON.stringify(nothing));
  }
});

void t.test('white space around a value, such as the CR of a Windows file, is no part of it', async t => {
  const found = optionsFromEnvironment({ LB4_WORKERS: '2\r', LB4_BACKENDS: ' a:1, b:2 ' }, OPTIONS);
  t.same(Object.fromEntries(found), { workers: '2', backends: 'a:1, b:2' });
});

void t.test('a variable that belongs to no option is named, with the one that was meant', async t => {
  t.same(unknown({ LB4_WORKRES: '1', LB4_BACKEND: 'a:1', LB4_MAXSESSIONS: '5', LB4_FAVOURITE: 'x' }), [
    'LB4_WORKRES: LB4_WORKERS',
    'LB4_BACKEND: LB4_BACKENDS',
    'LB4_MAXSESSIONS: LB4_MAX_SESSIONS',
    'LB4_FAVOURITE: unknown',
  ]);
});

void t.test('nothing is said of options, of other names, and of what the file itself refers to', async t => {
  t.same(unknown({ LB4_WORKERS: '1', WORKRES: '1', LB4: '1', LB4_: '1', 'LB4_A B\n': 'x' }), []);
  t.same(unknown({ LB4_BACKEND: 'a:1', LB4_BACKEND_2: 'b:1' }, ['LB4_BACKEND', 'LB4_BACKEND_2']), []);
  t.same(unknown({ LB4_TEST_ENGINE: 'node', LB4_TEST_LOAD: 'full' }), [], "the test suite's own");
});

/** As kubelet and `docker --link` make them for a service. */
const linksOf = (service: string): Record<string, string> => ({
  [`${service}_SERVICE_HOST`]: '10.3.104.46',
  [`${service}_SERVICE_PORT`]: '8080',
  [`${service}_SERVICE_PORT_HTTP_ADMIN`]: '8080',
  [`${service}_PORT`]: 'tcp://10.3.104.46:8080',
  [`${service}_PORT_8080_TCP`]: 'tcp://10.3.104.46:8080',
  [`${service}_PORT_8080_TCP_PROTO`]: 'tcp',
  [`${service}_PORT_8080_TCP_PORT`]: '8080',
  [`${service}_PORT_8080_TCP_ADDR`]: '10.3.104.46',
  [`${service}_PORT_53_UDP_ADDR`]: '10.3.104.46',
});

void t.test('the links of a service that is called like lb4 are neither options nor mistakes', async t => {
  for (const service of ['LB4', 'LB4_REDIS', 'LB4_CONFIG', 'LB4_METRICS_V2']) {
    const links = linksOf(service);
    t.same(unknown(links), [], service);
    t.equal(optionsFromEnvironment(links, OPTIONS).size, 0);
  }
  t.same(unknown({ LB4_PORT: '8080' }), ['LB4_PORT: unknown'], 'a port alone was meant for lb4');
});
