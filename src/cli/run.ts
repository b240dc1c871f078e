/**
 * `lb4 run`: balances in the foreground until a signal ends it.
 *
 * Place: configuration → load balancer → observers → signals. stdout stays empty; every message goes to stderr, as
 * plain words before the log exists and as log lines afterwards.
 */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { logsOverOwnFiles, type OwnFiles } from '../config/checks/own-files.ts';
import { ConfigError } from '../config/report/config-error.ts';
import type { UnknownVariable } from '../config/source/environment.ts';
import { formatIssue, inOrder } from '../config/report/format-issues.ts';
import type { ConfigIssue, LocatedIssue } from '../config/report/issue.ts';
import type { Config } from '../config/schema/schema.ts';
import { loadConfig, type ConfigLoadResult, type LoadRequest } from '../config/source/load.ts';
import { Lb4Error, wordsOf } from '../errors.ts';
import { LoadBalancer } from '../load-balancer.ts';
import { listensAt } from '../linux/address-holder.ts';
import { libcOrNone } from '../linux/libc.ts';
import { keepFromChildren } from '../linux/listening-sockets.ts';
import { nameOfProcess } from '../linux/process-name.ts';
import { logConfiguration, sourceOf } from '../observe/log-configuration.ts';
import { logEvents } from '../observe/log-events.ts';
import type { Log } from '../observe/log.ts';
import { printable } from '../support/printable.ts';
import { setKeepingTimer, setUnrefTimer } from '../support/timer.ts';
import { outliveTerminals } from './terminals.ts';
import { Crash } from './crash.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { exitInOrder } from './exit-at-once.ts';
import { watchForExit } from './unordered-exit.ts';
import { atExit } from '../support/at-exit.ts';
import { Admin } from './serve-admin.ts';
import { outOfDescriptors } from './failure-line.ts';
import { PidFile, PidFileHeld } from './pid-file.ts';
import { backendsOf, watchPorts } from './port-watch.ts';
import { processFigures } from './process-figures.ts';
import { createReloader } from './create-reloader.ts';
import {
  exitCodeOf,
  exitCodeOfIssues,
  loadRequestOf,
  unknownVariableText,
  type LoadOptions,
  type OptionSources,
} from './load-request.ts';
import { openRunLogs, type RunLogs } from './run-logs.ts';
import { logStarted, type ChosenEngine } from './log-started.ts';
import type { Signals } from './signals.ts';
import { journalPrefix } from './systemd/journal.ts';
import { takePassedSockets } from './systemd/passed-sockets.ts';
import { startService } from './systemd/service-reports.ts';
import { untilSignalled, type Operator } from './until-signalled.ts';
import { createUpgrader } from './upgrade/create-upgrader.ts';
import { meetPredecessor, type Predecessor } from './upgrade/predecessor.ts';
import { version } from './version.ts';
import { watchOption } from './watch-option.ts';
import type { ConfigWatch } from './config-watch.ts';

/** For a command line that balances nothing. */
const WHERE_TO_BEGIN = 'lb4 demo shows it at work; lb4 --help lists the options';

export interface RunOptions extends LoadOptions {
  readonly pidFile?: string;
  readonly watch?: boolean | string;
}

export interface RunSurroundings extends OptionSources {
  readonly signals: Signals;
}

export async function run(options: RunOptions, surroundings: RunSurroundings): Promise<ExitCode> {
  // Some seconds after a burst V8 collects its whole heap, three times in a row, to give memory back: a pause of
  // 5 to 25 ms each for a heap of 8 MB (docs/performance.md). Ordinary collections go on. This works for workers; for
  // the main thread it comes too late.
  setFlagsFromString('--no-memory-reducer');
  const predecessor = await meetPredecessor(process, setUnrefTimer);
  const libc = predecessor && libcOrNone();
  if (libc !== undefined) for (const fd of predecessor?.fds ?? []) keepFromChildren(libc, fd);
  const { signals } = surroundings;
  const request = loadRequestOf(options, surroundings);
  const watching = await watchOption(options.watch, options.config);
  if (!watching.ok) {
    process.stderr.write(`lb4: ${printable(watching.problem)}\n`);
    await predecessor?.failed([watching.problem]);
    return EXIT.usage;
  }
  const { watch } = watching;
  const load = (): ConfigLoadResult => loadConfig(request);
  const loaded = mayBlock(options.config) ? signals.whileBlocking(load) : load();
  const { variables } = loaded;
  const unknown = variables === undefined ? [] : surroundings.unknownVariables(variables);
  if (!loaded.ok) {
    // The missing option may be in a variable with another name.
    const lines = [...loaded.message.split('\n'), ...unknown.map(unknownVariableText)];
    const saysNothing =
      options.config === undefined && options.backends === undefined && unknown.length === 0;
    if (saysNothing) lines.push(WHERE_TO_BEGIN);
    const prefix = journalPrefix()('error');
    for (const line of lines) process.stderr.write(`${prefix}lb4: ${printable(line)}\n`);
    await predecessor?.failed(lines);
    return exitCodeOf(loaded);
  }
  outliveTerminals();
  const own = { config: options.config, pid: options.pidFile };
  const logs = logsOf(loaded, dirname(resolve(options.config ?? 'here')), own);
  if (logs === undefined) return EXIT.badConfig;
  const code = await balance({ options, request, loaded, unknown, signals, logs, watch, predecessor });
  await logs.end(code);
  return code;
}

/** Undefined: a destination cannot be opened, and standard error has the reason. */
function logsOf(
  loaded: ConfigLoadResult & { readonly ok: true },
  baseDir: string,
  own: OwnFiles,
): RunLogs | undefined {
  try {
    const overOwn = logsOverOwnFiles(loaded.config.log, baseDir, own);
    if (overOwn.length > 0) throw new ConfigError(overOwn);
    return openRunLogs(loaded.config.log, baseDir);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const prefix = journalPrefix()('error');
    for (const line of located(error, loaded.locate))
      process.stderr.write(`${prefix}lb4: ${printable(line)}\n`);
    return undefined;
  }
}

interface Run {
  readonly options: RunOptions;
  readonly request: LoadRequest;
  readonly loaded: ConfigLoadResult & { readonly ok: true };
  readonly unknown: readonly UnknownVariable[];
  readonly signals: Signals;
  readonly logs: RunLogs;
  readonly watch: ConfigWatch | undefined;
  readonly predecessor: Predecessor | undefined;
}

async function balance(run: Run): Promise<ExitCode> {
  const { options, request, loaded, unknown, signals, logs, watch, predecessor } = run;
  const { config } = loaded;
  const { log } = logs;
  const baseDir = options.config === undefined ? '.' : dirname(resolve(options.config));
  const balancer = new LoadBalancer(config, {
    baseDir: resolve(baseDir),
    passed: takePassedSockets(process.env, process.pid),
    inheritance: predecessor?.inheritance,
  });
  for (const each of unknown) log.write('warn', 'unknownVariable', unknownVariableText(each), { ...each });
  for (const each of loaded.warnings) log.write('warn', 'configWarning', formatIssue(each));
  const endLogging = logEvents(balancer, log, { now: () => performance.now(), setTimer: setUnrefTimer });
  logs.follow(balancer);
  logs.onSparing(isSparing => balancer.countSessions(isSparing));
  let chosen: ChosenEngine = {};
  balancer.on('engine:chosen', choice => (chosen = choice));
  const service = startService(balancer, config, log);
  let pidFile: PidFile | undefined;
  let admin: Admin | undefined;
  let endWatchingPorts = (): void => undefined;
  const { reloader, started } = createReloader({
    ...{ request, config, balancer, logs, service },
    onLoaded: async next => watch?.add(next),
    onReloaded: next => watch?.follow(next),
    pidFile: options.pidFile,
    successor: () => upgrader.successor,
  });
  const reload = (): void => void reloader.reload({ trigger: 'signal' });
  const operator: Operator = { drain: () => undefined };
  const drain = (): void => operator.drain();
  const onHandedOver = (pid: number): void => {
    service.handOver(pid);
    watch?.close();
  };
  const upgrader = createUpgrader({ balancer, admin: () => admin, onHandedOver, drain, log });
  const crash = new Crash({
    ...{ log, balancer, process, exit: exitInOrder, setTimer: setKeepingTimer },
    upgrade: () => upgrader.underWay,
    onCrash: why => service.crashed(why),
    onStartFailed: async lines => predecessor?.failed(lines),
    endLogs: code => logs.end(code),
  });
  const orderExit = watchForExit({
    ...{ log, process, isOrdered: () => crash.hasBegun },
    needsStderr: () => reloader.config.log.to.type !== 'stderr',
  });
  const ended = untilSignalled(
    balancer,
    {
      ...{ logs, reload },
      upgrade: () => void upgrader.upgrade('signal'),
      abortUpgrade: () => upgrader.abort(),
    },
    signals,
    operator,
  );
  try {
    // A file that cannot be written must stop the start before clients are accepted.
    pidFile = pidFileAt(options.pidFile, config, predecessor);
    // Another instance may have it while the sessions of this one end.
    balancer.on('drain:started', () => pidFile?.letGo());
    admin = new Admin({
      ...{ config, balancer, log },
      configNow: () => reloader.config,
      baseDir: resolve(baseDir),
      drain: timeoutMs => operator.drain(timeoutMs),
      ...{ file: reloader.file, noReload: reloader.impossible },
      reload: dryRun => reloader.reload({ trigger: 'api', dryRun }),
      lastReload: () => reloader.last,
      figures: () => processFigures(reloader, logs),
      logs: () => logs.views(),
      upgrade: () => upgrader.upgrade('api'),
      inherited: predecessor?.admin,
    });
    await admin.openConfigured();
    await watch?.add(config);
    if (!(await startUnlessStopped(balancer))) return await ended.then(() => EXIT.ok);
    if (predecessor !== undefined) await takeOver(predecessor, { balancer, admin, log });
    writePidFile(pidFile, options.pidFile, predecessor, log);
    // Also when a defect ends the process.
    atExit(() => pidFile?.remove());
    logConfiguration(config, sourceOf(options.config, loaded.options), log);
    logStarted(balancer, chosen, log);
    void admin.openSocket();
    started();
    service.started();
    endWatchingPorts = watchPorts({ log, backends: () => backendsOf(balancer.snapshot()) });
    watch?.start(() => void reloader.reload({ trigger: 'watch' }));
    await ended;
    if (crash.hasBegun) await crash.end();
    return EXIT.ok;
  } catch (error) {
    const lines =
      error instanceof ConfigError
        ? located(error, loaded.locate)
        : [outOfDescriptors(error) ?? wordsOf(error)];
    for (const line of lines) log.write('error', 'failed', line);
    await predecessor?.failed(lines);
    service.failed(lines.join('; '));
    await balancer.stop();
    return exitCodeFor(error, loaded.locate);
  } finally {
    orderExit();
    crash.stopListening();
    endLogging();
    service.end();
    watch?.close();
    endWatchingPorts();
    signals.over();
    pidFile?.remove();
    admin?.close();
  }
}

/** Clients are accepted here already, and by the predecessor: from then on only here. */
async function takeOver(
  predecessor: Predecessor,
  { balancer, admin, log }: { balancer: LoadBalancer; admin: Admin; log: Log },
): Promise<void> {
  await admin.openInherited();
  const [sockets, ofAdmin] = [balancer.takenOver(), admin.takenOver()];
  await predecessor.ready({ version: version(), sockets, admin: ofAdmin });
  if (balancer.state !== 'running') return;
  balancer.own();
  admin.own();
  const { pid } = predecessor;
  const fields = { predecessor: pid, addresses: sockets.length };
  log.write('info', 'tookOver', `took over from process ${pid}`, fields);
}

/** A process that has the file, and listens at a path of this configuration: either the path is its own, and the start fails with it, or the file at the path has been removed, and this process replaces it. */
function pidFileAt(
  path: string | undefined,
  { listeners }: Config,
  predecessor: Predecessor | undefined,
): PidFile | undefined {
  if (path === undefined) return undefined;
  const replaces = (pid: number): boolean =>
    pid === predecessor?.pid ||
    listeners.some(({ bind }) => bind.some(at => at.kind === 'unix' && listensAt(pid, at)));
  return new PidFile(path, { libc: libcOrNone(), replaces });
}

/** Two processes with one pid file: one takes over from the other, or the older one drains. */
function writePidFile(
  file: PidFile | undefined,
  path = '',
  predecessor: Predecessor | undefined,
  log: Log,
): void {
  try {
    const before = file?.write();
    if (before === undefined || before === predecessor?.pid) return;
    const message = `pid file ${path} named ${nameOfProcess(before)}, which still runs`;
    log.write('warn', 'pidFileTakenOver', message, { path, predecessor: before });
  } catch (error) {
    // The predecessor has let go: it is too late to give up.
    if (predecessor === undefined) throw error;
    log.write('error', 'pidFileFailed', wordsOf(error), { path });
  }
}

/** False when a signal has stopped it before it had started. */
async function startUnlessStopped(balancer: LoadBalancer): Promise<boolean> {
  try {
    await balancer.start();
    return true;
  } catch (error) {
    if (error instanceof Lb4Error && error.code === 'LB4_WRONG_STATE') return false;
    throw error;
  }
}

/** Pipes, terminals and the like are read until they end. */
function mayBlock(file: string | undefined): boolean {
  return file !== undefined && statSync(file, { throwIfNoEntry: false })?.isFile() === false;
}

/** The problems of files that the configuration names: one line each, with its place. */
function located({ issues }: ConfigError, locate: (issue: ConfigIssue) => LocatedIssue): string[] {
  return inOrder(issues.map(locate)).map(formatIssue);
}

function exitCodeFor(error: unknown, locate: (issue: ConfigIssue) => LocatedIssue): ExitCode {
  if (error instanceof PidFileHeld) return EXIT.cannotBind;
  if (error instanceof ConfigError) return exitCodeOfIssues(error.issues.map(locate));
  const isBind = error instanceof Lb4Error && error.code === 'LB4_LISTEN_FAILED';
  return isBind ? EXIT.cannotBind : EXIT.failure;
}
