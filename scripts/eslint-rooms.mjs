/** ESLint's rule `rooms/imports`: imports run as scripts/rooms.mjs says. */
import { dirname, relative, resolve, sep } from 'node:path';
import { roomOf, ROOMS, whyNot } from './rooms.mjs';

const ROOT = resolve(import.meta.dirname, '..');
const fromRoot = path => relative(ROOT, path).split(sep).join('/');

const imports = {
  meta: {
    type: 'problem',
    docs: { description: 'imports run the way that scripts/rooms.mjs allows' },
    schema: [],
  },
  create(context) {
    const file = context.filename;
    const from = fromRoot(file);
    const room = roomOf(from);
    const check = node => {
      const source = node.source?.value;
      if (typeof source !== 'string' || !source.startsWith('.')) return;
      const why = whyNot(from, fromRoot(resolve(dirname(file), source)));
      if (why !== undefined) context.report({ node, message: why });
    };
    return {
      Program(node) {
        if (room === undefined || ROOMS[room] !== undefined) return;
        context.report({ node, message: `scripts/rooms.mjs has no rule for ${room}` });
      },
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    };
  },
};

export default { rules: { imports } };
