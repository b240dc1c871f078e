/**
 * `--watch` and `LB4_WATCH`: what they ask for, and what is wrong with it.
 *
 * Place: read by run.ts before the configuration is loaded, so that no change after that is missed.
 */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { yesOrNo } from '../config/source/flags.ts';
import { setUnrefTimer } from '../support/timer.ts';
import { FileWatch } from '../support/file-watch.ts';
import { ConfigWatch } from './config-watch.ts';

export type WatchOption =
  | { readonly ok: true; readonly watch: ConfigWatch | undefined }
  | { readonly ok: false; readonly problem: string };

/** @param given true where it was typed, text where it comes from the environment */
export async function watchOption(
  given: boolean | string | undefined,
  file: string | undefined,
): Promise<WatchOption> {
  const name = typeof given === 'string' ? 'LB4_WATCH' : '--watch';
  const isWanted = typeof given === 'string' ? yesOrNo(given) : given === true;
  if (isWanted === undefined) {
    return { ok: false, problem: `${name}: expected true or false, got ${JSON.stringify(given)}` };
  }
  if (!isWanted) return { ok: true, watch: undefined };
  if (file === undefined)
    return { ok: false, problem: `${name}: expected a configuration file (--config) to watch` };
  if (isOther(file)) {
    return { ok: false, problem: `${name}: expected a regular file to watch, and ${file} is none` };
  }
  const deps = { wallClock: () => Date.now(), setTimer: setUnrefTimer };
  const watch = await FileWatch.of(file, deps);
  return { ok: true, watch: new ConfigWatch(watch, dirname(resolve(file)), deps) };
}

/** A pipe, a device, a folder; not a file that cannot be seen, which loading it reports. */
function isOther(file: string): boolean {
  try {
    return !statSync(file).isFile();
  } catch {
    return false;
  }
}
