/**
 * Bulk flows as a process of their own, for a load beside them: on the load core, but behind everything else there.
 *
 * Place: started by `startBulk`, which says when all flows have been asked for; prints what it got in a window of time.
 * This file is both sides: the process gets its load as one argument. A flow asks for its next answer as soon as it
 * has one, so only the balancer and its core hold it back.
 */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Children } from '../processes/children.ts';
import { makeWay } from '../processes/priority.ts';
import { runExchanges } from './exchange-client.ts';
import { BODY_BYTES, BULK_REQUEST, response } from './messages.ts';

const order = z.object({
  port: z.number(),
  flows: z.number(),
  warmUpMs: z.number(),
  measureMs: z.number(),
});
const outcome = z.object({ megabytesPerSecond: z.number(), errors: z.number() });

export type BulkLoad = z.infer<typeof order>;
export type BulkOutcome = z.infer<typeof outcome>;

export interface BulkFlows {
  /** What the flows got within the window; rejects when the process failed. */
  readonly result: Promise<BulkOutcome>;
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(import.meta.url);
const RUNNING = 'running';

/** Resolves when every flow has been asked for: its warm-up and window start then. The flows go on until `stop`. */
export async function startBulk(children: Children, load: BulkLoad): Promise<BulkFlows> {
  const lines = createLines();
  const child = await children.start([process.execPath, PROGRAM, JSON.stringify(load)], {
    holdStdin: true,
    onStdout: text => lines.push(text),
  });
  const next = async (): Promise<string> => {
    const line = await Promise.race([lines.next(), child.ended]);
    if (typeof line === 'string') return line;
    throw new Error(`the bulk client ended with ${String(line.code)}: ${line.stderr.trim()}`);
  };
  await next();
  const result = next().then(line => outcome.parse(JSON.parse(line)));
  // It may fail before somebody asks for it.
  result.catch(() => undefined);
  return { result, stop: () => child.stop() };
}

/** Lines of a text that comes in pieces. */
function createLines(): { push(text: string): void; next(): Promise<string> } {
  let rest = '';
  let arrived = (): void => undefined;
  return {
    push(text) {
      rest += text;
      arrived();
    },
    async next() {
      while (!rest.includes('\n')) await new Promise<void>(resolve => (arrived = resolve));
      const [line = '', ...others] = rest.split('\n');
      rest = others.join('\n');
      return line;
    },
  };
}

async function run({ port, flows, warmUpMs, measureMs }: BulkLoad): Promise<void> {
  makeWay();
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  await runExchanges({
    port,
    connections: flows,
    request: BULK_REQUEST,
    response: response(BODY_BYTES.bulk, 'keep-alive'),
    warmUpMs,
    measureMs,
    onSent: () => print(RUNNING),
    startCpuMeter: () => () => ({ balancer: undefined, stolenPercent: undefined }),
    async goOn({ bytes, seconds, errors }) {
      print(JSON.stringify({ megabytesPerSecond: bytes / 1e6 / seconds, errors } satisfies BulkOutcome));
      // Ended by a signal, or with the process that holds stdin.
      await new Promise(resolve => process.stdin.resume().once('close', resolve));
    },
  });
}

if (process.argv[1] === PROGRAM) await run(order.parse(JSON.parse(process.argv[2] ?? '')));
