/** The OpenAPI document: it is valid, has every route, and real answers have the form that it says. */
import t from 'tap';
import * as z from 'zod';
import { routes } from '../../../src/admin/routes.ts';
import { portOf, startAdmin } from '../../harness/admin.ts';
import { FakeBalancer, sessionView } from '../../harness/fake-balancer.ts';
import { runProgram } from '../../harness/programs.ts';

type Node = { readonly [key: string]: Node };

const balancer = new FakeBalancer();
balancer.running = [sessionView('1-a'), sessionView('1-b'), sessionView('1-c')];
const { ask } = await startAdmin(t, { port: portOf(balancer) });
const document = (await ask('GET', '/api/v1/openapi.json')).json as Node;

void t.test('it has every route of the table, and no other', async t => {
  const documented = Object.entries(document['paths'] ?? {}).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
  );
  t.same(documented.sort(), routes.map(({ method, path }) => `${method} ${path}`).sort());
});

void t.test('a validator of OpenAPI accepts it', async t => {
  const program =
    'import json,sys\nfrom openapi_spec_validator import validate\nvalidate(json.load(sys.stdin))';
  const { code, stderr } = await runProgram('python3', ['-c', program], { input: JSON.stringify(document) });
  if (stderr.includes('ModuleNotFoundError')) t.comment('python3 has no openapi_spec_validator here');
  else t.equal(code, 0, stderr);
});

void t.test('real answers have the documented form', async t => {
  const app = '/api/v1/upstreams/{upstream}/backends/{backend}';
  const asked: readonly (readonly [string, string, unknown?])[] = [
    ...routes
      // A stream has no end; events.test.ts looks at it.
      .filter(({ method, path }) => method === 'GET' && path !== '/api/v1/events')
      .map(({ path }) => ['GET', path] as const),
    ['PATCH', app, { weight: 5 }],
    ['PATCH', app, { weight: 500 }],
    ['PUT', app, { weight: 4 }],
    ['DELETE', '/api/v1/sessions?client=10.0.0.0/8'],
    ['DELETE', '/api/v1/sessions/{id}'],
    ['DELETE', app],
    ['DELETE', app],
    ['POST', '/api/v1/drain'],
    ['POST', '/api/v1/reload'],
    ['POST', '/api/v1/upgrade', {}],
  ];
  for (const [method, form, body] of asked) {
    const path = form.replace('{upstream}', 'app').replace('{backend}', '10.0.0.1:80').replace('{id}', '1-a');
    const { status, json, text } = await ask(method, path, { body });
    const [plain = ''] = form.split('?');
    const { responses } = document['paths']?.[plain]?.[method.toLowerCase()] ?? {};
    const content = (responses?.[status] ?? responses?.['default'])?.['content'];
    const schema = Object.values(content ?? {})[0]?.['schema'];
    const refs = { $defs: document['components']?.['schemas'] };
    const whole = JSON.parse(
      JSON.stringify({ ...refs, ...schema }).replaceAll('#/components/schemas/', '#/$defs/'),
    ) as Parameters<typeof z.fromJSONSchema>[0];
    const answer = content !== undefined && 'text/plain' in content ? text : json;
    t.ok(schema !== undefined && z.fromJSONSchema(whole).parse(answer), `${method} ${form}: ${status}`);
  }
});
