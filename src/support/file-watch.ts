/**
 * Notices that the content of a file has changed, however it was replaced: written in place, renamed over (editors), or
 * reached through symbolic links that lead elsewhere now (Kubernetes swaps `..data`).
 *
 * Place: `--watch` of `lb4 run`, and files that name backends.
 * How: folders are watched, not the file, because a watch stays with the old file. As no system reports every way of
 * replacing a file, and some file systems report none, the file's times are looked at every two seconds as well.
 * Invariants:
 * - A file whose content is what it was before is not reported.
 * - A file that is being written is reported once, when it is whole.
 * - Does not keep the process alive.
 */
import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile, readlink, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { systemCode } from '../errors.ts';
import type { SetTimer } from './timer.ts';
import { untilWritten } from './written-file.ts';

const POLL_MS = 2_000;
/** Events of one change, such as those of a folder that is busy, are one look. */
const GATHER_MS = 50;
/** Of a larger file only the times are compared, not the content. */
const LARGEST_BYTES = 2 * 1024 * 1024;
const MOST_LINKS = 40;

export interface FileWatchDeps {
  wallClock(): number;
  readonly setTimer: SetTimer;
}

interface Sight {
  /** Changes whenever the file may have changed. */
  readonly version: string;
  /** Changes only with the content. */
  readonly content: () => Promise<string>;
}

export class FileWatch {
  readonly #file: string;
  readonly #deps: FileWatchDeps;
  #version: string;
  #content: string;
  #onChanged: () => void = () => undefined;
  readonly #watchers = new Map<string, FSWatcher>();
  #cancelLook: (() => void) | undefined;
  #cancelPoll: () => void = () => undefined;
  #isLooking = false;
  #isClosed = false;

  private constructor(file: string, deps: FileWatchDeps, version: string, content: string) {
    this.#file = file;
    this.#deps = deps;
    this.#version = version;
    this.#content = content;
  }

  /** Remembers the file as it is now; changes from now on are reported once `start` was called. */
  static async of(file: string, deps: FileWatchDeps): Promise<FileWatch> {
    const { version, content } = await see(file);
    return new FileWatch(file, deps, version, await content());
  }

  start(onChanged: () => void): void {
    this.#onChanged = onChanged;
    void this.#look();
    this.#poll();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelPoll();
    this.#cancelLook?.();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #poll(): void {
    this.#cancelPoll = this.#deps.setTimer(() => {
      void this.#look();
      this.#poll();
    }, POLL_MS);
  }

  #lookSoon(): void {
    if (this.#isClosed) return;
    this.#cancelLook ??= this.#deps.setTimer(() => {
      this.#cancelLook = undefined;
      void this.#look();
    }, GATHER_MS);
  }

  async #look(): Promise<void> {
    // What happens during a look is seen by the next one.
    if (this.#isLooking) {
      this.#lookSoon();
      return;
    }
    this.#isLooking = true;
    await this.#watchFolders();
    if ((await see(this.#file)).version !== this.#version) await this.#compare();
    this.#isLooking = false;
  }

  async #compare(): Promise<void> {
    await untilWritten(this.#file, this.#deps);
    const { version, content } = await see(this.#file);
    this.#version = version;
    const now = await content();
    if (now === this.#content || this.#isClosed) return;
    this.#content = now;
    this.#onChanged();
  }

  /** The folders of the file and of every link on the way to it. */
  async #watchFolders(): Promise<void> {
    const folders = await foldersOf(this.#file);
    if (this.#isClosed) return;
    for (const [folder, watcher] of this.#watchers) if (!folders.has(folder)) this.#forget(folder, watcher);
    for (const [folder, path] of folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(path, { persistent: false }, () => this.#lookSoon());
        this.#watchers.set(
          folder,
          watcher.on('error', () => this.#forget(folder, watcher)),
        );
      } catch {
        // No more watches are allowed, or the folder has gone: the looks every two seconds remain.
      }
    }
  }

  #forget(folder: string, watcher: FSWatcher): void {
    watcher.close();
    this.#watchers.delete(folder);
  }
}

/**
 * From now on; returns what ends it. `onBegun`: what is read from then on, or is older, is followed by each change. It is
 * called once, unless the watch was ended before, and not before this has returned.
 */
export function watchedFile(
  file: string,
  onChanged: () => void,
  deps: FileWatchDeps,
  onBegun: () => void = () => undefined,
): () => void {
  let isClosed = false;
  let watch: FileWatch | undefined;
  void FileWatch.of(file, deps).then(found => {
    if (isClosed) return;
    watch = found;
    onBegun();
    found.start(onChanged);
  });
  return () => {
    isClosed = true;
    watch?.close();
  };
}

async function see(file: string): Promise<Sight> {
  try {
    const found = await stat(file);
    const { dev, ino, size, mtimeMs, ctimeMs } = found;
    const version = [dev, ino, size, mtimeMs, ctimeMs].join(' ');
    if (!found.isFile() || size > LARGEST_BYTES) return { version, content: () => Promise.resolve(version) };
    return { version, content: () => hashOf(file) };
  } catch (error) {
    const code = systemCode(error);
    return { version: code, content: () => Promise.resolve(code) };
  }
}

async function hashOf(file: string): Promise<string> {
  try {
    return createHash('sha256')
      .update(await readFile(file))
      .digest('base64');
  } catch (error) {
    return systemCode(error);
  }
}

/** Paths of folders by what they are: a folder that takes the place of another one is watched anew. */
async function foldersOf(file: string): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  let path = resolve(file);
  for (let links = 0; links <= MOST_LINKS; links++) {
    const folder = dirname(path);
    try {
      const { dev, ino } = await stat(folder);
      folders.set(`${dev} ${ino}`, folder);
      path = resolve(folder, await readlink(path));
    } catch {
      return folders;
    }
  }
  return folders;
}
