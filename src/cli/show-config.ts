/**
 * A configuration as YAML, every default filled in, with where each value comes from as a comment. Secrets are hidden.
 *
 * Place: `lb4 check --show`. It can be read back as a configuration, as far as no secret is in it.
 */
import { Document, isCollection, isPair, isScalar, visit } from 'yaml';
import { effectiveOf, shownAt } from '../config/report/effective.ts';
import type { Path, Place } from '../config/report/issue.ts';
import type { Config } from '../config/schema/schema.ts';

export function showConfig(config: Config, origin: (path: Path) => Place | undefined): string {
  const document = new Document(shownAt([], effectiveOf(config)), { aliasDuplicateObjects: false });
  visit(document, {
    Scalar(key, node, ancestors) {
      if (key === 'key') return;
      node.comment = ` ${wordsOf(origin(pathOf(node, ancestors)))}`;
    },
  });
  return document.toString({ lineWidth: 0 });
}

/** Positions in lists count from 0. */
function pathOf(node: unknown, ancestors: readonly unknown[]): Path {
  const path: (string | number)[] = [];
  for (const [depth, parent] of ancestors.entries()) {
    const child = ancestors[depth + 1] ?? node;
    if (isPair(parent)) path.push(isScalar(parent.key) ? String(parent.key.value) : String(parent.key));
    else if (isCollection(parent) && !isPair(child))
      path.push(parent.items.findIndex(item => item === child));
  }
  return path;
}

function wordsOf(place: Place | undefined): string {
  if (place === undefined) return 'default';
  return 'option' in place ? place.option : `${place.file}:${place.line}:${place.column}`;
}
