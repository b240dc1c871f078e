/**
 * What a type of the source says, for tests that hold documents to it: types leave nothing behind at run time.
 *
 * Place: test/docs. Reads one file by TypeScript's parser; imports are not followed.
 */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const root = new URL('../../../', import.meta.url);

/** The words of a union of words, such as `'a' | 'b'`. */
export function wordsOf(file: string, alias: string): string[] {
  const found = statementsOf(file).find(
    statement => ts.isTypeAliasDeclaration(statement) && statement.name.text === alias,
  );
  if (found === undefined || !ts.isTypeAliasDeclaration(found))
    throw new Error(`no type ${alias} in ${file}`);
  return literals(found.type);
}

/** The keys of each member of an interface whose members are objects, by the member's name. */
export function fieldsOf(file: string, name: string): Map<string, string[]> {
  const found = statementsOf(file).find(
    statement => ts.isInterfaceDeclaration(statement) && statement.name.text === name,
  );
  if (found === undefined || !ts.isInterfaceDeclaration(found))
    throw new Error(`no interface ${name} in ${file}`);
  const members = found.members.filter(ts.isPropertySignature);
  return new Map(
    members.flatMap(({ name, type }) =>
      type !== undefined && ts.isTypeLiteralNode(type)
        ? [[textOf(name), type.members.filter(ts.isPropertySignature).map(member => textOf(member.name))]]
        : [],
    ),
  );
}

function statementsOf(file: string): readonly ts.Statement[] {
  const text = readFileSync(new URL(file, root), 'utf8');
  return [...ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements];
}

function literals(type: ts.TypeNode): string[] {
  if (ts.isUnionTypeNode(type)) return type.types.flatMap(literals);
  if (ts.isLiteralTypeNode(type) && ts.isStringLiteral(type.literal)) return [type.literal.text];
  throw new Error(`a union of words was expected, not ${ts.SyntaxKind[type.kind]}`);
}

function textOf(name: ts.PropertyName): string {
  if (ts.isIdentifier(name) || ts.isStringLiteral(name)) return name.text;
  throw new Error('a plain name was expected');
}
