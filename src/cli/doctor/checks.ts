/** All checks of the machine, in the order in which they are shown. */
import { descriptors, openFiles } from './descriptors.ts';
import type { Check, Finding, Judged } from './finding.ts';
import { kernelSwitches } from './kernel-switches.ts';
import { connectionTracking, listenOverflows, listenPorts, listenQueue } from './listening.ts';
import { sourcePorts } from './local-ports.ts';
import { clock, memory, processors, socketMemory, threads } from './resources.ts';
import { engine, redis } from './software.ts';

export const CHECKS: readonly Check[] = [
  ...[engine, descriptors, openFiles],
  ...[listenPorts, listenQueue, listenOverflows, sourcePorts, connectionTracking],
  ...[memory, socketMemory, processors, threads, clock, redis, kernelSwitches],
];

export function judge(judged: Judged): Finding[] {
  return CHECKS.flatMap(check => check(judged));
}
