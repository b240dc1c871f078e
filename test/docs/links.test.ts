/**
 * Links in the documents lead somewhere: in this repository, and in the package, which has fewer files. Anchors are
 * those that GitHub and npm make of headings.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runProgram } from '../harness/programs.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const NOT_OURS = /^(node_modules|dist|\.\w+)($|\/)/;
/** There is no address of ours yet, so nothing but these may be linked to. */
const FOREIGN = ['keepachangelog.com', 'prometheus.io', 'semver.org', 'www.conventionalcommits.org'];

const inRepository = new Set(filesBelow(''));
const packed = await runProgram('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
const [manifest] = JSON.parse(packed.stdout) as [{ files: { path: string }[] }];
const inPackage = new Set(manifest.files.map(({ path }) => path));

for (const [place, files] of Object.entries({ repository: inRepository, package: inPackage })) {
  const documents = [...files].filter(file => file.endsWith('.md'));

  void t.test(
    `${place}: every relative link leads to a file that is there, and to a heading in it`,
    async t => {
      t.ok(documents.includes('README.md') && documents.includes('docs/cli.md'));
      const dead = documents.flatMap(document =>
        linksOf(document)
          .filter(link => !/^[a-z]+:/.test(link) && !leadsSomewhere(link, document, files))
          .map(link => `${document} → ${link}`),
      );
      t.same(dead, []);
    },
  );

  void t.test(`${place}: other links lead to addresses that are known`, async t => {
    const unknown = documents.flatMap(document =>
      linksOf(document)
        .filter(link => /^[a-z]+:/.test(link) && !FOREIGN.includes(new URL(link).host))
        .map(link => `${document} → ${link}`),
    );
    t.same(unknown, []);
  });
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = posix.join(folder, entry.name);
    if (NOT_OURS.test(path)) return [];
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** What a document links to and shows, outside of its code. */
function linksOf(document: string): string[] {
  const text = textOf(document)
    .replaceAll(/^```.*?^```/gms, '')
    .replaceAll(/`[^`\n]*`/g, '');
  return Array.from(text.matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
}

function leadsSomewhere(link: string, from: string, files: ReadonlySet<string>): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : posix.join(posix.dirname(from), path).replace(/\/$/, '');
  const isFolder = [...files].some(file => file.startsWith(`${target}/`));
  if (!files.has(target) && !isFolder) return false;
  return anchor === undefined || (target.endsWith('.md') && anchorsOf(target).includes(anchor));
}

function anchorsOf(document: string): string[] {
  const text = textOf(document).replaceAll(/^```.*?^```/gms, '');
  const seen = new Map<string, number>();
  return Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading = '']) => {
    const slug = heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(slug) ?? 0;
    seen.set(slug, before + 1);
    return before === 0 ? slug : `${slug}-${before}`;
  });
}

function textOf(file: string): string {
  return statSync(join(root, file)).isFile() ? readFileSync(join(root, file), 'utf8') : '';
}
