/**
 * A worker thread: one data plane over one engine, directed by control's messages.
 *
 * Place: started by `worker-thread.ts`; the only file beside `load-balancer.ts` that names the real clock and the real
 * randomness, because every thread has its own.
 * Dying: whatever ends the thread (an uncaught error, `process.exit` in a strategy), its sessions are reset and
 * accounted for while it still can; control does the rest.
 */
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';
import { DataPlane } from '../data/data-plane.ts';
import type { Engine } from '../engine/engine.ts';
import { createEpollEngine } from '../engine/epoll/epoll-engine.ts';
import { loadLibc, type Libc } from '../linux/libc.ts';
import { createNodeEngine } from '../engine/node/node-engine.ts';
import { Lb4Error } from '../errors.ts';
import { DeadlineWheel } from '../data/session/deadline-wheel.ts';
import { SharedState } from '../shared-memory/shared-state.ts';
import { DueTimers } from '../support/due-timers.ts';
import { setUnrefTimer } from '../support/timer.ts';
import { noteDelays } from './loop-delay.ts';
import { listeningOnDuplicates } from './sockets.ts';
import {
  ownerTag,
  type AnswerTo,
  type FromWorker,
  type Question,
  type ToWorker,
  type WorkerStart,
} from './messages.ts';
import { Outbox } from './outbox.ts';
import { WorkerStats } from './worker-stats.ts';

const BEAT_MS = 100;

const port = parentPort;
if (port === null) throw new Lb4Error('LB4_WRONG_STATE', 'worker-main.js runs in a worker only');
// Written by worker-thread.ts, in this version of lb4.
const start = workerData as WorkerStart;

const stats = new WorkerStats(start.stats);
const shared = new SharedState(start.memory, start.index);
const outbox = new Outbox(shared.counts.threads, {
  send: events => post({ kind: 'events', events }),
  taken: () => stats.eventsTaken,
  afterTurn: callback => void setImmediate(callback),
});
const libc = ownLibc();
// The epoll engine must know of every timer, because Node runs none while it waits for sockets.
const timers = start.engine === 'epoll' ? new DueTimers(() => performance.now(), setUnrefTimer) : undefined;
const setTimer = timers?.set ?? setUnrefTimer;
const now = (): number => performance.now();
const wheel = new DeadlineWheel(now, setTimer);
const data: DataPlane = new DataPlane({
  engine: listeningOnDuplicates(createEngine(), libc),
  wheel,
  shared,
  ledger: stats,
  slot: start.slot,
  idPrefix: `${start.index + 1}-`,
  setTimer,
  now,
  wallClock: () => Date.now(),
  random: () => Math.random(),
  report: event => outbox.report(event),
  onPlaceFreed: tellPlaceFreed,
});
data.recording = start.recording;
for (const plan of start.plans) data.apply(plan);
const beating = setInterval(beat, BEAT_MS);
noteDelays(shared.counters.cells(start.slot), now, setTimer);
process.on('exit', dieInOrder);
await data.settled();
beat();
post({ kind: 'ready' });
// Not earlier: until now control's messages wait in the port.
port.on('message', (message: ToWorker) => obey(message));

function obey(message: ToWorker): void {
  switch (message.kind) {
    case 'apply':
      for (const plan of message.plans) data.apply(plan);
      return;
    case 'record':
      data.recording = message.recording;
      return;
    case 'abortSessions':
      data.abortSessions(message.termination);
      return;
    case 'spreadResets':
      data.spreadResets(message.termination, message.withinMs);
      return;
    case 'closePools':
      data.closePools();
      return;
    case 'recheckLimits':
      data.recheckLimits();
      return;
    case 'ask':
      void answerTo(message.question).then(answer => {
        beat();
        outbox.flushAll();
        post({ kind: 'answer', id: message.id, answer });
      });
      return;
    case 'end':
      process.off('exit', dieInOrder);
      clearInterval(beating);
      // Connections that the engine is still closing keep the thread alive; control waits only briefly.
      port?.close();
      return;
  }
}

async function answerTo(question: Question): Promise<AnswerTo<Question>> {
  switch (question.what) {
    case 'stopListening':
      await data.stopListening();
      return undefined;
    case 'takeClientsOf':
      await data.takeClientsOf(question.sockets);
      return undefined;
    case 'whenEmpty':
      await data.whenEmpty();
      return undefined;
    case 'settled':
      await data.settled();
      return undefined;
    case 'leftListeners':
      return data.leftListeners;
    case 'sessions':
      return data.sessions(question.query);
    case 'endSessions':
      return data.endSessions(question.query);
  }
}

function post(message: FromWorker): void {
  port?.postMessage(message);
}

/** One message is enough for all places that are freed before control handles it. */
function tellPlaceFreed(): void {
  if (stats.tellPlaceFreed()) post({ kind: 'placeFreed' });
}

function beat(): void {
  stats.setFigures(data.figures());
  stats.beat();
  outbox.flush();
}

function dieInOrder(): void {
  stats.sessionsLost = shared.counts.liveOf(start.index, start.slot);
  try {
    data.abandonSessions({ by: 'balancer', phase: 'relay', reason: 'workerDied' });
    outbox.flushAll();
  } catch {
    // The thread dies of a defect, which may be in this very call; control resets what is left.
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
  if (engine === 'node') return createNodeEngine({ clock: wheel, now, libc, ownerTable, ...waiting });
  return createEpollEngine({
    libc,
    // generic-pool hands its connections over in promises: they must not wait for a turn of Node's loop.
    waitsForPromises: () => data.parks,
    clock: wheel,
    now,
    trustsShortReads: process.env['LB4_TEST_SHORT_READS'] !== 'distrust',
    ...waiting,
    ...(timers && { timers }),
    ...(wakeFd === undefined ? {} : { wakeFd }),
    ownerTable,
  });
}
