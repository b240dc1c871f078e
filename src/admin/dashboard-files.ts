/**
 * The files of the dashboard: where a browser finds each, and where it comes from.
 *
 * Place: routes/dashboard.ts sends them; scripts/bundle.mjs puts copies beside the bundle, so that the package needs
 * neither the sources nor uPlot's package.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';

export interface DashboardFile {
  /** Path of the URL. */
  readonly path: string;
  readonly type: string;
  /** Its text; read once. */
  readonly text: () => string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const OWN = [
  ...[
    'index.html',
    'style.css',
    'parts.css',
    'icon.svg',
    'app.js',
    'actions.js',
    'charts.js',
    'configuration.js',
    'dom.js',
    'feed.js',
  ],
  ...['endings.js', 'events.js', 'format.js', 'history.js', 'icons.js', 'panels.js'],
  ...['row.js', 'strips.js', 'upstreams.js'],
];

/** From the root of the package → the name under /dashboard/. */
export const DASHBOARD_SOURCES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(OWN.map(name => [`src/admin/dashboard/${name}`, name])),
  'dist/src/observe/figures.js': 'figures.js',
  'dist/src/observe/rates.js': 'rates.js',
  'dist/src/observe/summary.js': 'summary.js',
  'dist/src/support/printable.js': 'printable.js',
  'node_modules/uplot/dist/uPlot.iife.min.js': 'uplot.js',
  'node_modules/uplot/dist/uPlot.min.css': 'uplot.css',
};

/** Of the bundle; absent beside tsc's separate files. */
const COPIES = new URL('../dashboard/', import.meta.url);
/** As deep from here in the bundle as in tsc's files. */
const ROOT = new URL('../../../', import.meta.url);

export const DASHBOARD_FILES: readonly DashboardFile[] = Object.entries(DASHBOARD_SOURCES).map(
  ([source, name]) => ({
    path: name === 'index.html' ? '/' : `/dashboard/${name}`,
    type: TYPES[extname(name)] ?? 'application/octet-stream',
    text: once(() => {
      const copy = new URL(basename(name), COPIES);
      return withoutMap(readFileSync(existsSync(copy) ? copy : new URL(source, ROOT), 'utf8'));
    }),
  }),
);

/** No source maps are served. */
export function withoutMap(text: string): string {
  return text.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, '\n');
}

function once(make: () => string): () => string {
  let made: string | undefined;
  return () => (made ??= make());
}
