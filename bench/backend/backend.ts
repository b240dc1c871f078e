/**
 * Starts the backend process and tells its ports. One process serves every backend: it stands on the load core,
 * and a switch between processes there would only add noise to all balancers alike.
 */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Children } from '../processes/children.ts';

const portsLine = z.object({
  small: z.array(z.number()),
  bulk: z.array(z.number()),
  once: z.array(z.number()),
  echo: z.array(z.number()),
});

/** The ports of every service, one per backend. */
export type BackendPorts = z.infer<typeof portsLine>;

/** What a backend does with a connection; responder.ts says it in words. */
export type Service = keyof BackendPorts;

/** Starts the process on this process's core; it ends with this process. */
export async function startBackends(children: Children, count: number): Promise<BackendPorts> {
  const responder = fileURLToPath(new URL('./responder.js', import.meta.url));
  let output = '';
  let complete = (): void => undefined;
  const line = new Promise<void>(resolve => {
    complete = resolve;
  });
  const child = await children.start([process.execPath, responder, String(count)], {
    holdStdin: true,
    onStdout: text => {
      output += text;
      if (output.includes('\n')) complete();
    },
  });
  await Promise.race([line, child.ended]);
  if (child.result !== undefined) throw new Error(`the backend process ended: ${child.result.stderr}`);
  return portsLine.parse(JSON.parse(output));
}
