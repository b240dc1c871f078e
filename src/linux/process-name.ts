/**
 * Which program a process runs, in a word or two: `nginx`, `node lb4.js`.
 *
 * Place: in messages that name another process.
 * Invariant: no argument is shown, except the script of an interpreter: arguments may hold passwords.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { printable } from '../support/printable.ts';

const INTERPRETER = /^(node|nodejs|bun|deno|python[\d.]*|ruby|perl|php|java|sh|bash|dash)$/;
const LONGEST = 60;

/** Undefined for a process that has ended, or that cannot be seen. */
export function programOf(pid: number, proc = '/proc'): string | undefined {
  try {
    const [program = '', ...args] = readFileSync(`${proc}/${pid}/cmdline`, 'utf8').split('\0');
    // A title that the process has given itself is one argument: `nginx: master process /usr/sbin/nginx`.
    const [path = ''] = program.split(/[\s:]/);
    const name = basename(path);
    const script = INTERPRETER.test(name) ? args.find(arg => !arg.startsWith('-')) : undefined;
    const words = [name, ...(script === undefined || script === '' ? [] : [basename(script)])].join(' ');
    return words === '' ? undefined : printable(words.slice(0, LONGEST));
  } catch {
    return undefined;
  }
}

/** `process 123 (nginx)`. */
export function nameOfProcess(pid: number, proc = '/proc'): string {
  const program = programOf(pid, proc);
  return program === undefined ? `process ${pid}` : `process ${pid} (${program})`;
}
