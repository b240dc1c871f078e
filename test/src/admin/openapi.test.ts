/** The OpenAPI document is valid, and has every route. answers.test.ts holds answers to it. */
import t from 'tap';
import { routes } from '../../../src/admin/routes.ts';
import { startAdmin } from '../../harness/admin.ts';
import { runProgram } from '../../harness/programs.ts';

type Node = { readonly [key: string]: Node };

const { ask } = await startAdmin(t);
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
