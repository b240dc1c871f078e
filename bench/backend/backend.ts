/**
 * Starts a backend process and tells its ports. One process serves all backends of a number: it stands on the load
 * core, and a switch between processes there would only add noise to all balancers alike.
 */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Children } from '../processes/children.ts';

/** What a backend can do with a connection; responder.ts says it in words. */
const SERVICES = ['small', 'medium', 'bulk', 'once', 'echo', 'mixed'] as const;

export type Service = (typeof SERVICES)[number];

const portsLine = z.partialRecord(z.enum(SERVICES), z.array(z.number()));

/** The ports of each started service, one per backend. */
export type BackendPorts = z.infer<typeof portsLine>;

/** Starts the process on this process's core; it ends with this process. */
export async function startBackends(
  children: Children,
  count: number,
  services: readonly Service[],
): Promise<BackendPorts> {
  const responder = fileURLToPath(new URL('./responder.js', import.meta.url));
  let output = '';
  let complete = (): void => undefined;
  const line = new Promise<void>(resolve => {
    complete = resolve;
  });
  const child = await children.start([process.execPath, responder, String(count), ...services], {
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

/** The ports of one service; throws if it was not started. */
export function portsOf(ports: BackendPorts, service: Service): readonly number[] {
  const found = ports[service];
  if (found === undefined) throw new Error(`no backend serves ${service}`);
  return found;
}
