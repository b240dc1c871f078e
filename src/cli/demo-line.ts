/**
 * The demo's status in one line that fits the terminal: a line that wraps cannot be rewritten in place.
 *
 * Place: demo.ts shows it repeatedly. The first of these forms that fits is used, from words to bare numbers.
 */
import { counted } from '../support/counted.ts';

export interface DemoStatus {
  readonly backends: readonly { readonly name: string; readonly live: number; readonly served: number }[];
  readonly sessionsEver: number;
}

/** @param columns the terminal's width; Infinity when there is no terminal */
export function demoLine({ backends, sessionsEver }: DemoStatus, columns: number): string {
  const sessions = counted(sessionsEver, 'session');
  const numbers = backends.map(({ live, served }) => `${live}/${served}`);
  const forms = [
    `  ${backends.map(({ name, live, served }) => `${name} ${live} live, ${served} served`).join(' · ')} · ${sessions}`,
    `  live/served: ${backends.map(({ name }, i) => `${name} ${numbers[i] ?? ''}`).join(' · ')} · ${sessions}`,
    backends.map(({ name }, i) => `${name} ${numbers[i] ?? ''}`).join(' '),
    backends.map(({ name }, i) => `${name.charAt(0)} ${numbers[i] ?? ''}`).join(' '),
  ];
  // A terminal wraps when its last column is used.
  const fits = (form: string): boolean => form.length < columns;
  return forms.find(fits) ?? forms.at(-1)?.slice(0, Math.max(columns - 1, 0)) ?? '';
}
