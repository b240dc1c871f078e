/**
 * The processes and temporary folders of one run, and their certain end.
 *
 * Place: created by run.ts; peers, backend and load tools start their processes through it.
 * Invariants: whatever was started here is ended by pid, with all that it started: by `stop`, by `stopAll`, and
 * at the latest when this process exits, on SIGINT and SIGTERM too. Temporary folders go the same way.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processTree } from '../measure/process-tree.ts';

/** Balancers get this long to leave by themselves after SIGTERM. */
const GRACE_MS = 1_000;
const STDERR_KEPT = 2_000;

/** One started process. */
export interface Child {
  readonly pid: number;
  /** Resolves once, when the process has ended and its output is complete. */
  readonly ended: Promise<Ended>;
  /** How it ended, or undefined while it runs. */
  readonly result: Ended | undefined;
  /** The process and everything it has started so far. */
  tree(): readonly number[];
  /** SIGTERM, then SIGKILL for what is left of the tree; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface Ended {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  /** The last 2,000 characters: enough for a reason, bounded for a chatty process. */
  readonly stderr: string;
}

export interface StartOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Keep stdin open until the end of this process: a child that watches stdin then never outlives it. */
  readonly holdStdin?: boolean;
  /** Called with each piece of stdout. */
  readonly onStdout?: (text: string) => void;
}

export class Children {
  readonly #running = new Set<Child>();
  readonly #folders: string[] = [];

  constructor() {
    process.once('exit', () => this.#killNow());
  }

  /** Starts a process; rejects when the command cannot be started. */
  async start(command: readonly string[], options: StartOptions = {}): Promise<Child> {
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      stdio: [options.holdStdin === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      ...(options.env !== undefined && { env: options.env }),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    });
    const handle = this.#watch(child, options);
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    return handle;
  }

  /** A fresh folder under the system's temporary folder; removed at the end of the run. */
  temporaryFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'lb4-bench-'));
    this.#folders.push(folder);
    return folder;
  }

  /** Ends everything that still runs. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#running].map(child => child.stop()));
  }

  #watch(child: ChildProcess, options: StartOptions): Child {
    let stdout = '';
    let stderr = '';
    let result: Ended | undefined;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      options.onStdout?.(text);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_KEPT);
    });
    // A child that is killed closes its end of stdin; that is no error of this process.
    child.stdin?.on('error', () => undefined);

    const ended = new Promise<Ended>(resolve => {
      const end = (code: number | null): void => {
        result ??= { code, stdout, stderr };
        this.#running.delete(handle);
        resolve(result);
      };
      child.once('close', end);
      child.once('error', () => end(null));
    });
    const handle: Child = {
      pid: child.pid ?? 0,
      ended,
      get result() {
        return result;
      },
      tree: () => processTree(handle.pid),
      stop: async () => {
        if (result !== undefined) return;
        const tree = handle.tree();
        child.kill('SIGTERM');
        const timer = setTimeout(() => killEach(tree), GRACE_MS);
        await ended;
        clearTimeout(timer);
      },
    };
    if (child.pid !== undefined) this.#running.add(handle);
    return handle;
  }

  #killNow(): void {
    for (const child of this.#running) killEach(child.tree());
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}

function killEach(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Already gone.
    }
  }
}
