/**
 * `lb4 doctor`: what limits lb4 on this machine, before it bites.
 *
 * Place: facts (this-machine.ts, composition/outlook.ts, the admin API) → checks.ts and running.ts → report.ts.
 * Invariant: reads only. It opens no port, changes no setting, and does without root; what it may not read it names.
 */
import { dirname, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { outlookOf, redisOutlook, type Outlook, type Outlooked } from '../../composition/outlook.ts';
import { loadConfigFile } from '../../config/source/load.ts';
import type { Config } from '../../config/schema/schema.ts';
import { runClient, type OutputOptions, type Surroundings } from '../client/client-command.ts';
import type { StatusAnswer } from '../client/status.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { version } from '../version.ts';
import { judge } from './checks.ts';
import type { Finding, Plan } from './finding.ts';
import { reportText, summary } from './report.ts';
import { judgeRunning, planOf } from './running.ts';
import { processOf, thisMachine } from './this-machine.ts';

export interface DoctorOptions extends OutputOptions {
  readonly config?: string;
  readonly live?: boolean;
}

const REDIS_TIMEOUT_MS = 3_000;
/** Longer lines are hard to read. */
const WIDEST = 110;

/** Without a file: as lb4 would run with its defaults. */
const DEFAULTS: Outlooked = {
  admin: { socket: 'auto' },
  engine: 'auto',
  workers: 'auto',
  workerStallTimeout: 30_000,
  limits: {},
  listeners: [],
  upstreams: [],
};

export async function doctor(options: DoctorOptions): Promise<ExitCode> {
  const { config: file } = options;
  const loaded = file === undefined ? undefined : loadConfigFile(file, process.env);
  if (loaded?.ok === false) {
    process.stderr.write(`${loaded.message}\n`);
    return EXIT.badConfig;
  }
  let code: ExitCode = EXIT.ok;
  const asked = await runClient(options, async surroundings => {
    const status = options.live === true ? await statusOf(surroundings) : undefined;
    const { title, findings } = await examine(loaded?.config, options, status);
    if (findings.some(({ verdict }) => verdict === 'fail')) code = EXIT.failure;
    surroundings.write(
      options.json === true
        ? `${JSON.stringify({ ok: code === EXIT.ok, summary: summary(findings), findings })}\n`
        : reportText(title, findings, Math.min(surroundings.width, WIDEST)),
    );
  });
  return asked === EXIT.ok ? code : asked;
}

async function statusOf({ client }: Surroundings): Promise<StatusAnswer> {
  return (await client.ask('GET', '/api/v1/status')) as StatusAnswer;
}

async function examine(
  config: Config | undefined,
  { config: file }: DoctorOptions,
  status: StatusAnswer | undefined,
): Promise<{ title: string; findings: Finding[] }> {
  const machine = thisMachine();
  const running = status && processOf(status.pid);
  const live = status === undefined ? [] : judgeRunning(status, running);
  const title = [
    `lb4 ${version()} doctor`,
    ...(file === undefined ? [] : [file]),
    ...(status === undefined ? [] : [`the running ${status.name}`]),
  ].join(', ');
  // The machine of an instance elsewhere is not this one.
  if (status !== undefined && running === undefined && config === undefined) return { title, findings: live };
  const outlook = status !== undefined && config === undefined ? undefined : outlookOf(config ?? DEFAULTS);
  const redis =
    config?.redis === undefined
      ? undefined
      : await redisOutlook(config.redis, {
          baseDir: dirname(resolve(file ?? '.')),
          timeoutMs: REDIS_TIMEOUT_MS,
          now: () => performance.now(),
        });
  const plan =
    config === undefined && status !== undefined ? planOf(status) : planFrom(config ?? DEFAULTS, outlook);
  return { title, findings: [...live, ...judge({ machine, plan, outlook, redis })] };
}

function planFrom(config: Outlooked, outlook: Outlook | undefined): Plan {
  const { limits, listeners, upstreams, workers } = config;
  const single = listeners.map(each => each.limits.maxSessions);
  // Listeners that all have a limit make one for the instance.
  const together = single.reduce<number | undefined>(
    (sum, most) => (sum === undefined || most === undefined ? undefined : sum + most),
    single.length === 0 ? undefined : 0,
  );
  const workersForTls = outlook?.ok === true ? outlook.engine.workersForTls : 0;
  const bounds = [limits.maxSessions, together].filter(bound => bound !== undefined);
  return {
    maxSessions: bounds.length === 0 ? undefined : Math.min(...bounds),
    workers:
      workersForTls + (outlook?.ok === true ? outlook.engine.workers : workers === 'auto' ? 0 : workers),
    workersForTls,
    listeners: listeners.map(({ name, bind }) => ({ name, addresses: bind })),
    upstreams: upstreams.map(({ name, backends, source }) => ({
      ...{ name, source },
      backends: backends.map(({ address, maxSessions }) => ({ address, maxSessions })),
    })),
  };
}
