/**
 * lb4's command line without a process for each call: what it answers at once, such as a mistake, is asked of one
 * process that runs `main` again and again. What goes on running is for `lb4-process.ts`.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { main } from '../../src/cli/program.ts';
import { Signals } from '../../src/cli/signals.ts';
import type { Ran } from './programs.ts';
import type { Teardown } from './teardown.ts';

const ROLE = 'command-line';

interface Call {
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}
type Answer = Omit<Ran, 'signal'>;

/** Starts the process; the function it returns runs lb4 with these arguments and these variables besides the test's own. */
export function startCommandLine(
  t: Teardown,
): (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Answer> {
  // Into a socket the log, too, is written through `process.stderr`, where `answer` finds it.
  const stdio = ['inherit', 'inherit', 'pipe', 'ipc'] as const;
  const child = fork(fileURLToPath(import.meta.url), [ROLE], { execArgv: [], stdio: [...stdio] });
  child.stderr?.pipe(process.stderr);
  t.teardown(() => child.kill('SIGKILL'));
  let last: Promise<unknown> = Promise.resolve();
  return (args, env = {}) => {
    const answer = last.then(() => ask({ args, env }));
    last = answer.catch(() => undefined);
    return answer;
  };

  function ask(call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error(`lb4 ${call.args.join(' ')} ended the process`));
      child.once('exit', ended);
      child.once('message', (answer: Answer) => {
        child.off('exit', ended);
        resolve(answer);
      });
      child.send(call);
    });
  }
}

if (process.argv[2] === ROLE) {
  const signals = new Signals();
  process.on(
    'message',
    ({ args, env }: Call) => void answer(args, env, signals).then(said => process.send?.(said)),
  );
}

async function answer(args: readonly string[], env: NodeJS.ProcessEnv, signals: Signals): Promise<Answer> {
  const said = { stdout: '', stderr: '' };
  const restore = (['stdout', 'stderr'] as const).map(name => {
    const stream = process[name];
    const write = stream.write.bind(stream);
    stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
      said[name] += String(chunk);
      const done = rest.at(-1);
      if (typeof done === 'function') process.nextTick(done);
      return true;
    };
    return () => (stream.write = write);
  });
  const own = process.env;
  process.env = { ...own, ...env };
  try {
    return { code: await main(args, signals), ...said };
  } finally {
    process.env = own;
    for (const back of restore) back();
  }
}
