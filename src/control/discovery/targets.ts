/**
 * A file of targets as backends: a list as in `backends`, or the form of `file_sd` of Prometheus.
 *
 * Place: file-source.ts reads the file, `lb4 check` as well.
 * Invariants:
 * - Never throws. Whatever is wrong is said with its line, and then no backend of the file counts.
 * - Costs time in proportion to the text.
 * Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config. Its labels are texts;
 * `lb4_weight`, `lb4_max_sessions` and `lb4_backup` mean what the keys of a backend do, and others nothing.
 */
import type { Path } from '../../config/report/issue.ts';
import { MOST_BACKENDS } from '../../config/schema/discovery-schema.ts';
import { field } from '../../config/schema/field.ts';
import type { BackendConfig } from '../../config/schema/schema.ts';
import { readDocument, type ConfigDocument } from '../../config/source/document.ts';
import { parseBackend } from '../../config/source/parse.ts';

export type Targets =
  | { readonly ok: true; readonly backends: readonly BackendConfig[] }
  /** `reason`: begins with the line where there is one. */
  | { readonly ok: false; readonly reason: string };

const EXPECTED = 'a list of backends, or of groups such as { targets: [10.0.0.1:80] }';

/** One backend as the file has it, and where. */
interface Entry {
  readonly input: unknown;
  readonly path: Path;
}

export function readTargets(text: string): Targets {
  // An empty file is one that is being written; no backends are `[]`.
  if (text.trim() === '') return bad('is empty; no backends are written as []');
  const document = readDocument(text, {});
  const [problem] = document.issues;
  if (problem !== undefined) return bad(`line ${problem.position.line}: ${problem.message}`);
  if (!Array.isArray(document.value)) return at(document, [], `expected ${EXPECTED}`);
  const backends = new Map<string, BackendConfig>();
  for (const [index, element] of document.value.entries()) {
    for (const { input, path } of entriesOf(element, [index])) {
      const parsed = parseBackend(input);
      if (!parsed.ok) {
        const [issue] = parsed.issues;
        return at(document, [...path, ...(issue?.path ?? [])], issue?.message ?? 'expected a backend');
      }
      const { backend } = parsed;
      if (backends.has(backend.id)) return at(document, path, `${backend.id} stands twice`);
      if (backends.size === MOST_BACKENDS) return at(document, path, `more than ${MOST_BACKENDS} backends`);
      backends.set(backend.id, backend);
    }
  }
  return { ok: true, backends: [...backends.values()] };
}

function entriesOf(element: unknown, path: Path): Entry[] {
  const targets = field(element, 'targets');
  if (!Array.isArray(targets)) return [{ input: element, path }];
  const keys = keysOf(field(element, 'labels'));
  return targets.map((address: unknown, index) => ({
    input: keys === undefined ? address : { address, ...keys },
    path: [...path, 'targets', index],
  }));
}

/** Undefined where no label is meant for lb4. */
function keysOf(labels: unknown): Readonly<Record<string, unknown>> | undefined {
  const keys = {
    ...keyOf('weight', field(labels, 'lb4_weight')),
    ...keyOf('maxSessions', field(labels, 'lb4_max_sessions')),
    ...keyOf('backup', field(labels, 'lb4_backup')),
  };
  return Object.keys(keys).length === 0 ? undefined : keys;
}

/** Labels are texts, also where they mean a number. */
function keyOf(key: string, label: unknown): Readonly<Record<string, unknown>> {
  if (label === undefined) return {};
  if (label === 'true' || label === 'false') return { [key]: label === 'true' };
  return { [key]: typeof label === 'string' && /^[0-9]{1,9}$/.test(label) ? Number(label) : label };
}

function at(document: ConfigDocument, path: Path, message: string): Targets {
  return bad(`line ${document.locate({ path, kind: 'value' }).line}: ${message}`);
}

function bad(reason: string): Targets {
  return { ok: false, reason };
}
