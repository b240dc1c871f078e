/**
 * `lb4 check -c FILE`: validates a configuration file and says everything that is wrong with it.
 *
 * Place: nothing is opened or resolved; strategies given as paths are not loaded.
 */
import { loadConfigFile } from '../config/load.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export function check(file: string): ExitCode {
  const loaded = loadConfigFile(file, process.env);
  if (loaded.ok) {
    const { listeners, upstreams } = loaded.config;
    process.stdout.write(
      `${file}: valid, ${count(listeners.length, 'listener')}, ${count(upstreams.length, 'upstream')}\n`,
    );
    return EXIT.ok;
  }
  process.stderr.write(`${loaded.message}\n`);
  return EXIT.badConfig;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
