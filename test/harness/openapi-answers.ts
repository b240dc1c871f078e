/**
 * Holds answers of the admin API to the OpenAPI document that it serves.
 */
import * as z from 'zod';
import type { Answered } from './admin.ts';

type Node = { readonly [key: string]: Node };

/** A route and a status, as the document has them: `GET /api/v1/upstreams/{upstream} 404`. */
export type Documented = string;

export class OpenApiAnswers {
  readonly #paths: Node;
  readonly #schemas: Node;

  /** @param document what `/api/v1/openapi.json` has answered */
  constructor(document: unknown) {
    const { paths, components } = document as Node;
    this.#paths = paths ?? {};
    this.#schemas = components?.['schemas'] ?? {};
  }

  /** Every route with every status that is documented for it by itself. */
  all(): Documented[] {
    return Object.entries(this.#paths).flatMap(([path, operations]) =>
      Object.entries(operations).flatMap(([method, { responses = {} }]) =>
        Object.keys(responses)
          .filter(status => status !== 'default')
          .map(status => `${method.toUpperCase()} ${path} ${status}`),
      ),
    );
  }

  /**
   * Throws unless the answer has a documented form. Returns the route with the status, or with `default`.
   * @param form the path with the names of its parameters in braces
   */
  expect(method: string, form: string, { status, headers, text, json }: Answered): Documented {
    const { responses } = this.#paths[form]?.[method.toLowerCase()] ?? {};
    const own = responses?.[status];
    const content = (own ?? (status >= 400 ? responses?.['default'] : undefined))?.['content'];
    const at = `${method} ${form} ${own === undefined ? 'default' : status}`;
    const type = headers['content-type']?.split(';')[0] ?? '';
    const schema = content?.[type]?.['schema'];
    if (schema === undefined) throw new Error(`${at}: an answer ${status} of type ${type} is not documented`);
    const whole = JSON.stringify({ $defs: this.#schemas, ...schema });
    const local = JSON.parse(whole.replaceAll('#/components/schemas/', '#/$defs/')) as Parameters<
      typeof z.fromJSONSchema
    >[0];
    const result = z.fromJSONSchema(local).safeParse(type.endsWith('json') ? json : text);
    if (!result.success) throw new Error(`${at}: ${z.prettifyError(result.error)}\n${text.slice(0, 500)}`);
    return at;
  }
}
