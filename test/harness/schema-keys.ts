/** The keys of the configuration, as its JSON Schema has them. */
import type * as z from 'zod';

type Schema = z.core.JSONSchema.JSONSchema;

/** Every key path, as the reference writes it: `upstreams[].backends[].weight`. */
export function keysOf(schema: Schema, path = ''): string[] {
  const options = [schema, ...(schema.anyOf ?? [])].filter(option => typeof option === 'object');
  // A list of the same mappings has no keys of its own.
  const isMapping = options.some(({ properties }) => properties !== undefined);
  return options.flatMap(option => [
    ...Object.entries(option.properties ?? {}).flatMap(([key, inner]) => {
      const at = path === '' ? key : `${path}.${key}`;
      return typeof inner === 'object' ? [at, ...keysOf(inner, at)] : [at];
    }),
    ...(!isMapping && typeof option.items === 'object' && !Array.isArray(option.items)
      ? keysOf(option.items, `${path}[]`)
      : []),
  ]);
}
