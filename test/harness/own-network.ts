/**
 * A network of its own for a whole test file, where the machine grants one: the kernel's tables of sockets then hold those
 * of this file alone, and none of the thousands that other tests have left in TIME_WAIT.
 *
 * Place: for files whose tests wait for looks at these tables. To be imported before anything opens a socket.
 * How: unshare(2) moves the main thread; threads and processes that it starts later belong there, too. The network goes
 * with the process. Without Linux, root or koffi the file runs in the machine's network, and takes longer.
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { skipWithoutNamespaces } from './network-namespace.ts';

const CLONE_NEWNET = 0x4000_0000;

if (skipWithoutNamespaces() === false) {
  const koffi: typeof Koffi = createRequire(import.meta.url)('koffi');
  const unshare = koffi.load(null).func('int unshare(int)') as (kind: number) => number;
  if (unshare(CLONE_NEWNET) === 0) {
    const { status, stderr } = spawnSync('ip', ['link', 'set', 'lo', 'up'], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`no loopback in a new network: ${stderr}`);
  }
}
