/**
 * The demo's status in one line that fits the terminal: a line that wraps cannot be rewritten in place.
 *
 * Place: demo.ts shows it repeatedly. The first of these forms that fits is used, from words to bare numbers.
 */
import { counted } from '../support/counted.ts';

export interface DemoStatus {
  readonly backends: readonly {
    readonly name: string;
    readonly live: number;
    readonly served: number;
    readonly isBroken: boolean;
  }[];
  readonly sessionsEver: number;
}

/** @param columns the terminal's width; Infinity when there is no terminal */
export function demoLine({ backends, sessionsEver }: DemoStatus, columns: number): string {
  const sessions = counted(sessionsEver, 'session');
  const names = backends.map(({ name, isBroken }) => (isBroken ? `${name} (broken)` : name));
  const shorter = backends.map(({ name, isBroken }) => (isBroken ? `${name}!` : name));
  const numbers = backends.map(({ live, served }) => `${live}/${served}`);
  const forms = [
    `  ${backends.map(({ live, served }, i) => `${names[i] ?? ''} ${live} live, ${served} served`).join(' · ')} · ${sessions}`,
    `  live/served: ${names.map((name, i) => `${name} ${numbers[i] ?? ''}`).join(' · ')} · ${sessions}`,
    shorter.map((name, i) => `${name} ${numbers[i] ?? ''}`).join(' '),
    backends
      .map(({ name, isBroken }, i) => `${name.charAt(0)}${isBroken ? '!' : ''} ${numbers[i] ?? ''}`)
      .join(' '),
  ];
  // A terminal wraps when its last column is used.
  const fits = (form: string): boolean => form.length < columns;
  return forms.find(fits) ?? forms.at(-1)?.slice(0, Math.max(columns - 1, 0)) ?? '';
}
