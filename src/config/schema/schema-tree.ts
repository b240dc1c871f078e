/**
 * Reads a zod schema: which keys it has, and what is inside optional, default and transformed parts.
 *
 * Place: parse.ts asks it for known keys and durations, scripts/generate.ts for the reference. The only file
 * that knows zod's own classes.
 */
import * as z from 'zod';
import type { Path } from '../report/issue.ts';

/** Every value of a configuration is looked up here, and schemas do not change. */
const known = new WeakMap<z.core.$ZodType, readonly z.core.$ZodType[]>();

/** The schema itself, then everything it wraps, outermost first; for a union also each of its options. */
export function layers(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  let found = known.get(schema);
  if (found === undefined) known.set(schema, (found = layersOf(schema)));
  return found;
}

function layersOf(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  if (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodReadonly
  ) {
    return [schema, ...layers(schema.unwrap())];
  }
  // What comes before the check of a value is what the value was written as.
  if (schema instanceof z.ZodPipe)
    return [schema, ...layers(schema.in instanceof z.ZodTransform ? schema.out : schema.in)];
  if (schema instanceof z.ZodUnion) return [schema, ...schema.options.flatMap(layers)];
  return [schema];
}

/** The keys of the mapping that `schema` accepts, with their schemas; undefined when it accepts none. */
export function shapeOf(schema: z.core.$ZodType): z.core.$ZodShape | undefined {
  return layers(schema).find(layer => layer instanceof z.ZodObject)?.shape;
}

/** The schema of the elements of the list that `schema` accepts. */
export function elementOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  return layers(schema).find(layer => layer instanceof z.ZodArray)?.element;
}

/** Whether `true` stands for what `schema` accepts. */
export function acceptsTrue(schema: z.core.$ZodType): boolean {
  return layers(schema).some(layer => layer instanceof z.ZodLiteral && layer.values.has(true));
}

/** The schema at a path, or undefined where the path leads out of the schema. */
export function schemaAt(schema: z.core.$ZodType, path: Path): z.core.$ZodType | undefined {
  let current: z.core.$ZodType | undefined = schema;
  for (const part of path) {
    if (current === undefined) return undefined;
    current = typeof part === 'number' ? elementOf(current) : shapeOf(current)?.[part];
  }
  return current;
}
