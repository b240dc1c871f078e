/**
 * What the balancers' adapters share: start on the balancer's core, wait until it accepts, ask for a version.
 */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import type { Children, StartOptions } from '../processes/children.ts';
import type { Pinning } from '../processes/pinning.ts';
import { waitUntilAccepting } from '../processes/ports.ts';
import type { PeerVersion, RunningPeer, Workers } from './peer.ts';

export interface Launcher {
  /** Runs the command on the balancer's core or cores and resolves when it accepts on the port. */
  launch(
    command: readonly string[],
    listenPort: number,
    options: StartOptions & { readonly cores: Workers },
  ): Promise<RunningPeer>;
  /** Writes a configuration file into a fresh temporary folder and returns its path. */
  configFile(name: string, text: string): string;
  /** Runs `command`, expects success, and returns the first line of its output that matches. */
  askVersion(command: readonly string[], pattern: RegExp, options?: StartOptions): Promise<PeerVersion>;
  /** What the command prints on stdout when it ends well; undefined when it fails or cannot be started. */
  run(command: readonly string[], options?: StartOptions): Promise<string | undefined>;
}

/** A launcher whose processes belong to `children`. */
export function createLauncher(children: Children, pinning: Pinning): Launcher {
  return {
    async launch(command, listenPort, options) {
      const spawnedAt = performance.now();
      const child = await children.start([...pinning.balancerPrefix(options.cores), ...command], options);
      try {
        await waitUntilAccepting(listenPort, child);
      } catch (error) {
        await child.stop();
        throw error;
      }
      return {
        port: listenPort,
        acceptingAfterMs: performance.now() - spawnedAt,
        pids: () => child.tree(),
        stop: () => child.stop(),
      };
    },

    configFile(name, text) {
      const file = join(children.temporaryFolder(), name);
      writeFileSync(file, text);
      return file;
    },

    async askVersion(command, pattern, options) {
      const [program = ''] = command;
      try {
        const { code, stdout, stderr } = await (await children.start(command, options)).ended;
        // nginx prints its version on stderr.
        const version = pattern.exec(stdout + stderr)?.[0].trim();
        if (code === 0 && version !== undefined) return { present: true, version };
        return { present: false, reason: `${program} ended with ${String(code)} and told no version` };
      } catch {
        return { present: false, reason: `${program} is not installed` };
      }
    },

    async run(command, options) {
      try {
        const { code, stdout } = await (await children.start(command, options)).ended;
        return code === 0 ? stdout : undefined;
      } catch {
        return undefined;
      }
    },
  };
}
