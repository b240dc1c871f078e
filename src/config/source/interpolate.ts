/**
 * Fills environment variables into the text of a configuration value: `${NAME}`, `${NAME:-default}`, and `$${`
 * for a literal `${`.
 *
 * Place: document.ts, on every text value of a file; keys are left alone. As in a shell, the default also replaces a
 * variable that is set but empty.
 * Invariants:
 * - Linear in the text.
 * - The content of a variable is never interpolated again.
 */

/** Environment variables by name, as in `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type Interpolated =
  | {
      readonly ok: true;
      readonly text: string;
      /** Every variable that is referred to. */
      readonly variables: readonly string[];
    }
  | {
      readonly ok: false;
      readonly variables: readonly string[];
      /** Variables that are not set and have no default. */
      readonly missing: readonly string[];
      /** References that are malformed. */
      readonly malformed: readonly string[];
    };

const REFERENCE = /\$\$\{|\$\{([^}]*)(\}?)/g;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Fills all references in, or says what is wrong with each of them. */
export function interpolate(text: string, env: Environment): Interpolated {
  const missing: string[] = [];
  const malformed: string[] = [];
  const variables: string[] = [];
  const filled = text.replace(REFERENCE, (whole, inside: string | undefined, closing: string | undefined) => {
    if (inside === undefined) return '${';
    const [, name, fallback] = (closing === '}' ? INSIDE.exec(inside) : null) ?? [];
    if (name === undefined) {
      malformed.push(whole);
      return whole;
    }
    variables.push(name);
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (fallback !== undefined && (value === undefined || value === '')) return fallback;
    if (value === undefined) missing.push(name);
    return value ?? whole;
  });
  if (missing.length > 0 || malformed.length > 0) return { ok: false, variables, missing, malformed };
  return { ok: true, text: filled, variables };
}
