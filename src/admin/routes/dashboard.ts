/**
 * Routes of the dashboard: static files, which hold no figures. The page asks the API like any other client.
 *
 * Place: beside the routes of the API; they are no part of it, and stand in no OpenAPI document.
 * Invariant: a page may load and ask only what comes from this very address, and no text ever becomes HTML in it.
 */
import * as z from 'zod';
import { DASHBOARD_FILES } from '../dashboard-files.ts';
import { route, type Route } from '../route.ts';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};

export const dashboardRoutes: readonly Route[] = DASHBOARD_FILES.map(({ path, type, text }) =>
  route({
    method: 'GET',
    path,
    summary: 'A file of the dashboard.',
    isPage: true,
    answers: { 200: { means: 'The file.', schema: z.string(), type } },
    handle: () => {
      const body = Buffer.from(text());
      return {
        stream: response => {
          response.writeHead(200, { ...HEADERS, 'content-type': type, 'content-length': body.length });
          response.end(body);
        },
      };
    },
  }),
);
