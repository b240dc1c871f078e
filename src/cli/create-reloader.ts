/**
 * The reloader of `lb4 run`, with the real file, clock and balancer, and what follows from its reports: log lines, and
 * another form of the log itself.
 *
 * Place: a part of run.ts.
 */
import { dirname, resolve } from 'node:path';
import { listChanges, listEntries, type ListEntries } from '../composition/list-entries.ts';
import { problemsWithFiles, problemsWithLists, problemsWithTls } from '../composition/problems-with-files.ts';
import type { Config } from '../config/schema/schema.ts';
import { loadConfig, type LoadRequest } from '../config/source/load.ts';
import type { LoadBalancer } from '../load-balancer.ts';
import { logReload } from '../observe/log-reload.ts';
import { inSlices } from '../support/slices.ts';
import { setUnrefTimer } from '../support/timer.ts';
import { Reloader } from './reloader.ts';
import type { RunLogs } from './run-logs.ts';
import type { ReloadedService } from './systemd/service-reports.ts';
import { untilWritten } from '../support/written-file.ts';

export interface ReloadedRun {
  /** How the configuration was loaded at the start. */
  readonly request: LoadRequest;
  readonly config: Config;
  readonly pidFile: string | undefined;
  readonly balancer: LoadBalancer;
  readonly logs: RunLogs;
  /** The process that has taken over from this one. */
  readonly successor: () => number | undefined;
  /** Is informed of each reload. */
  readonly service: ReloadedService;
  /** With a configuration that may come into force, before the files that it names are read. */
  readonly onLoaded: (config: Config) => Promise<void>;
  /** With the configuration that is in force after a reload. */
  readonly onReloaded: (config: Config) => void;
}

/** `started` is to be called when the balancer runs; reloads before that wait for it. */
export function createReloader({
  request,
  config,
  pidFile,
  balancer,
  logs,
  successor,
  service,
  onLoaded,
  onReloaded,
}: ReloadedRun): {
  readonly reloader: Reloader;
  readonly started: () => void;
} {
  let started = (): void => undefined;
  const { file } = request;
  const baseDir = dirname(resolve(file ?? '.'));
  /** What lists of `access` say, and what a reload has read. */
  const entries: { inForce: ListEntries | Promise<ListEntries>; next: ListEntries } = {
    inForce: new Map(),
    next: new Map(),
  };
  const wallClock = (): number => Date.now();
  const reloader = new Reloader({
    ...{ file, config, wallClock, successor },
    started: new Promise(resolve => (started = resolve)),
    untilWritten: path => untilWritten(path, { wallClock, setTimer: setUnrefTimer }),
    load: () => loadConfig({ ...request, mayWait: false }),
    problemsWithFiles: async next => {
      await onLoaded(next);
      const others = problemsWithFiles(next, baseDir, { config: file, pid: pidFile });
      const inLists = await inSlices(problemsWithLists(next, baseDir));
      entries.next = await inSlices(listEntries(inLists.lists));
      const { problems, warnings } = await inSlices(problemsWithTls(next, { baseDir, wallClock }));
      return { problems: [...others, ...inLists.problems, ...problems], warnings };
    },
    changesOfFiles: async () => inSlices(listChanges(await entries.inForce, entries.next)),
    apply: async next => {
      // A destination that cannot be opened refuses the reload, before anything is changed.
      logs.prepare(next.log);
      await balancer.applyChecked(next);
      entries.inForce = entries.next;
    },
    state: () => balancer.state,
    onBegin: () => service.reloading(),
    onEnded: (report, inForce) => {
      service.reloaded();
      onReloaded(inForce);
      // Whichever of both levels shows the line.
      const isShown = logs.log.isEnabled('info');
      if (isShown) logReload(report, logs.log);
      logs.configure(inForce.log);
      if (!isShown) logReload(report, logs.log);
    },
  });
  return {
    reloader,
    started: () => {
      entries.inForce = entriesOf(config, baseDir);
      started();
    },
  };
}

/** They are read once more, because nothing but a reload asks for them. */
async function entriesOf(config: Config, baseDir: string): Promise<ListEntries> {
  const { lists } = await inSlices(problemsWithLists(config, baseDir));
  return inSlices(listEntries(lists));
}
