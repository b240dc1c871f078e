/**
 * The OpenAPI document, written from the same schemas that check requests and that tests hold answers to.
 *
 * Place: served at `/api/v1/openapi.json`; made with the first question for it.
 */
import * as z from 'zod';
import type { Route, RouteAnswer } from './route.ts';
import { named, problem } from './schemas.ts';

const VERSION = '3.1.0';
const PROBLEM = 'application/problem+json';
const refTo = (id: string): string => `#/components/schemas/${id}`;

type Json = Readonly<Record<string, unknown>>;

export function openApiOf(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const each of routes) {
    const path = (paths[each.path] ??= {});
    path[each.method.toLowerCase()] = operationOf(each);
  }
  const { schemas } = z.toJSONSchema(named, { uri: refTo, io: 'output' });
  return {
    openapi: VERSION,
    info: { title: 'lb4 admin API', version, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/' }],
    security: [{}, { token: [] }],
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutIds(schema)])),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operationOf({ method, path, summary, isOpen, query, body, headers, answers }: Route): Json {
  const inPath = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => ({
    ...{ name, in: 'path', required: true },
    schema: { type: 'string' },
  }));
  const inQuery = Object.entries(query.shape).map(([name, schema]) => {
    const { description, ...rest } = schemaOf(schema as z.ZodType, 'input');
    return { name, in: 'query', required: false, ...(description ? { description } : {}), schema: rest };
  });
  const inHeader = Object.entries(headers).map(([name, description]) => ({
    ...{ name, in: 'header', required: false, description },
    schema: { type: 'string' },
  }));
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^a-z0-9]+(\w?)/gi, (_, next: string) => next.toUpperCase())}`,
    summary,
    ...(isOpen ? { security: [{}] } : {}),
    parameters: [...inPath, ...inQuery, ...inHeader],
    ...(body === undefined
      ? {}
      : { requestBody: { content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, responseOf(answer)])),
      default: responseOf({ means: 'A problem.' }),
    },
  };
}

function responseOf({ means, schema, type = 'application/json' }: RouteAnswer): Json {
  const content =
    schema === undefined
      ? { [PROBLEM]: { schema: schemaOf(problem, 'output') } }
      : { [type]: { schema: schemaOf(schema, 'output') } };
  return { description: means, content };
}

/** A schema with a name of its own is only referred to. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const id = named.get(schema)?.id;
  if (id !== undefined) return { $ref: refTo(id) };
  // Zod collects named schemas under $defs of each document: here there is one place for all of them.
  const json = withoutIds(z.toJSONSchema(schema, { io, metadata: named }));
  return JSON.parse(JSON.stringify(json).replaceAll('#/$defs/', refTo(''))) as Json;
}

function withoutIds(schema: object): Json {
  return Object.fromEntries(
    Object.entries(schema).filter(([key]) => !['$schema', '$id', '$defs'].includes(key)),
  );
}
