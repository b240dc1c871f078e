/**
 * A worker thread: one data plane over one engine, led by control's messages.
 *
 * Place: started by `worker-thread.ts`; the only file beside `load-balancer.ts` that names the real clock and the
 * real randomness, because every thread has its own.
 * Dying: whatever ends the thread (an error that nobody caught, `process.exit` in a strategy), its sessions are
 * reset and accounted for while it still can; what it cannot do any more, control does.
 */
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { DataPlane, type DataPlaneSettings } from '../data-plane.ts';
import { withStrategies } from '../data-plane-settings.ts';
import type { Engine, ListeningSocket } from '../engine/engine.ts';
import { createEpollEngine } from '../engine/epoll/epoll-engine.ts';
import { loadLibc, type Libc } from '../engine/epoll/libc.ts';
import { duplicate } from '../engine/epoll/listening-sockets.ts';
import { createNodeEngine } from '../engine/node/node-engine.ts';
import { Lb4Error } from '../errors.ts';
import { DeadlineWheel } from '../session/deadline-wheel.ts';
import { SharedState } from '../shared-memory/shared-state.ts';
import { DueTimers } from '../support/due-timers.ts';
import { setUnrefTimer } from '../support/timer.ts';
import { ownerTag, type FromWorker, type Question, type ToWorker, type WorkerStart } from './messages.ts';
import { Outbox } from './outbox.ts';
import { WorkerStats } from './worker-stats.ts';

const BEAT_MS = 100;

const port = parentPort;
if (port === null) throw new Lb4Error('LB4_WRONG_STATE', 'worker-main.js runs in a worker only');
// Written by worker-thread.ts, in this version of lb4.
const start = workerData as WorkerStart;

const stats = new WorkerStats(start.stats);
const outbox = new Outbox(start.memory.counts.workers, {
  send: events => post({ kind: 'events', events }),
  taken: () => stats.eventsTaken,
  afterTurn: callback => void setImmediate(callback),
});
const libc = ownLibc();
// The epoll engine must know of every timer, because Node runs none while it waits for sockets.
const timers = start.engine === 'epoll' ? new DueTimers(() => performance.now(), setUnrefTimer) : undefined;
const setTimer = timers?.set ?? setUnrefTimer;
const wheel = new DeadlineWheel(() => performance.now(), setTimer);
const shared = new SharedState(start.memory, start.index);
const data = new DataPlane(await ownSettings(), {
  engine: createEngine(),
  wheel,
  shared,
  ledger: stats,
  idPrefix: `${start.index + 1}-`,
  setTimer,
  now: () => performance.now(),
  wallClock: () => Date.now(),
  random: () => Math.random(),
  report: event => outbox.report(event),
  onPlaceFreed: tellPlaceFreed,
});
data.recording = start.recording;
for (const snapshot of start.snapshots) data.apply(snapshot);
const beating = setInterval(beat, BEAT_MS);
process.on('exit', dieInOrder);
await data.listen();
beat();
post({ kind: 'ready' });
// Not before: what control says meanwhile waits in the port.
port.on('message', (message: ToWorker) => obey(message));

function obey(message: ToWorker): void {
  switch (message.kind) {
    case 'apply':
      data.apply(message.snapshot);
      return;
    case 'record':
      data.recording = message.recording;
      return;
    case 'abortSessions':
      data.abortSessions(message.termination);
      return;
    case 'closePools':
      data.closePools();
      return;
    case 'recheckLimits':
      data.recheckLimits();
      return;
    case 'ask':
      void answerTo(message.question).then(() => {
        beat();
        outbox.flushAll();
        post({ kind: 'done', id: message.id });
      });
      return;
    case 'end':
      process.off('exit', dieInOrder);
      clearInterval(beating);
      // What the engine still says good-bye to keeps the thread alive; control does not wait for long.
      port?.close();
      return;
  }
}

function answerTo(question: Question): Promise<void> {
  switch (question.what) {
    case 'stopListening':
      return data.stopListening();
    case 'takeClientsOf':
      return data.takeClientsOf(question.sockets.map(ownSockets));
    case 'whenEmpty':
      return data.whenEmpty();
    case 'settled':
      return Promise.resolve();
  }
}

function post(message: FromWorker): void {
  port?.postMessage(message);
}

/** One message is enough for all places that are freed before control begins to deal with it. */
function tellPlaceFreed(): void {
  if (stats.tellPlaceFreed()) post({ kind: 'placeFreed' });
}

function beat(): void {
  stats.setPools(data.pools());
  stats.beat();
  outbox.flush();
}

function dieInOrder(): void {
  stats.sessionsLost = shared.counts.liveOf(start.index, start.settings.slot);
  try {
    data.abandonSessions({ by: 'balancer', phase: 'relay', reason: 'workerDied' });
    outbox.flushAll();
  } catch {
    // It dies of a defect, and that may be just here; control resets what is left.
  }
}

function ownLibc(): Libc {
  const loaded = loadLibc();
  if (loaded.ok) return loaded.libc;
  throw new Lb4Error('LB4_ENGINE_UNAVAILABLE', `a worker cannot load the C library: ${loaded.reason}`);
}

function createEngine(): Engine {
  const { engine, index, wakeFd, owners, waitingLimit } = start;
  const waiting = waitingLimit === undefined ? {} : { waitingLimit };
  const ownerTable = { owners: new Uint8Array(owners), tag: ownerTag(index) };
  if (engine === 'node') return createNodeEngine({ clock: wheel, libc, ownerTable, ...waiting });
  // generic-pool hands its connections over in promises: they must not wait for a turn of Node's loop.
  const usesPromises = start.settings.upstreams.some(({ pool }) => pool.warm > 0 || pool.reuse);
  return createEpollEngine({
    libc,
    ...(usesPromises ? { lingerMs: 0 } : {}),
    clock: wheel,
    now: () => performance.now(),
    ...waiting,
    ...(timers && { timers }),
    ...(wakeFd === undefined ? {} : { wakeFd }),
    ownerTable,
  });
}

/** The instance's settings as this worker's: its own sockets, its share of spare connections and of retries. */
async function ownSettings(): Promise<DataPlaneSettings> {
  const { workers } = start.memory.counts;
  const { listeners, upstreams, ...rest } = await withStrategies(start.settings, start.baseDir);
  return {
    ...rest,
    listeners: listeners.map((listener, i) => ({
      ...listener,
      bind: ownSockets(start.sockets[i] ?? []),
    })),
    upstreams: upstreams.map(upstream => ({
      ...upstream,
      pool: { ...upstream.pool, warm: Math.ceil(upstream.pool.warm / workers) },
      connect: {
        ...upstream.connect,
        retryBudget: {
          ...upstream.connect.retryBudget,
          minPerSecond: upstream.connect.retryBudget.minPerSecond / workers,
        },
      },
    })),
  };
}

function ownSockets(sockets: readonly ListeningSocket[]): readonly ListeningSocket[] {
  return sockets.map(socket => ({ ...socket, fd: duplicate(libc, socket.fd) }));
}
