/** What `lb4 demo` prints at its start, and when something happens. */
import { printable } from '../support/printable.ts';
import type { DemoBackend } from './demo-backends.ts';
import type { DemoDashboard } from './demo-dashboard.ts';

/** The command that was typed to start lb4, for another one: `lb4`, or npm in a clone. */
export function calledAs(command: string): string {
  return process.env['npm_lifecycle_event'] === 'start' ? `npm start -- ${command}` : `lb4 ${command}`;
}

export interface Introduced {
  readonly address: string;
  readonly strategy: string;
  readonly backends: readonly DemoBackend[];
  readonly dashboard: DemoDashboard;
  readonly hasKeys: boolean;
}

export function introduction({ address, strategy, backends, dashboard, hasKeys }: Introduced): string {
  const url = `http://${address}/`;
  const moved = dashboard.taken === undefined ? '' : `  (${dashboard.taken} is taken)`;
  return [
    '',
    `  lb4 balances ${url}, strategy ${printable(strategy)}, over three backends:`,
    `  ${backends.map(({ name, address: backend }) => `${name} (${backend})`).join(', ')}`,
    '',
    `  Dashboard: http://${dashboard.address}/${moved}`,
    '',
    ...(hasKeys
      ? [
          '  Keys:',
          `    1 2 3   break ${backends.map(({ name }) => name).join(', ')}; the same key repairs it`,
          '    l       load, on and off: fifty sessions a second',
          '    q       ends it, as Ctrl-C does',
        ]
      : ['  With a terminal as its input it has keys: to break a backend, and for load.']),
    '',
    '  Try, in another terminal:',
    `    ${`curl ${url}`.padEnd(46)}  who answers?`,
    `    ${`curl ${url}slow`.padEnd(46)}  answers after 5 s`,
    `    ${`ab -n 10000 -c 100 ${url}`.padEnd(46)}  a connection per request`,
    `    ${`hey -n 10000 -c 100 ${url}`.padEnd(46)}  connections kept alive`,
    `    ${calledAs(`top --admin ${dashboard.address}`).padEnd(46)}  the same in a terminal`,
    '',
    ...(hasKeys ? [] : ['  Ctrl-C ends it.', '']),
    '',
  ].join('\n');
}

/** What a key has done to a backend. */
export function brokenWords({ name, address, isBroken }: DemoBackend, key: string): string {
  return isBroken
    ? `${name} (${address}) is broken: it refuses connections. New sessions go elsewhere at once; ${key} repairs it.`
    : `${name} is repaired. It is back when two checks have passed.`;
}

/** Events that the demo shows: what has become of the backend, before the reason. */
export const SHOWN_EVENTS = {
  'backend:down': 'down',
  'backend:up': 'up',
  'backend:ejected': 'ejected',
  'backend:restored': 'back from ejection',
} as const;
