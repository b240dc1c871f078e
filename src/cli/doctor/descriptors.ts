/** File descriptors: what lb4 may open against the sessions that are asked for, and what the whole system has left. */
import { DESCRIPTORS_NEEDED, NEEDED_BY_WORKER } from '../failure-line.ts';
import { fail, ok, unknown, warn, type Finding, type Judged } from './finding.ts';
import { limitOf, pathOf, sysctl, whyUnreadable } from './kernel-files.ts';
import { grouped } from './words.ts';

const LIMIT = 'Max open files';
/** With room for fewer sessions a limit has hardly been chosen on purpose. */
const FEW_SESSIONS = 1_000;
/** Parts of the system's table that are a reason to look, and to act. */
const NEARLY = 0.8;
const FULL = 0.95;

export function descriptors({ machine: { read }, plan, outlook }: Judged): Finding[] {
  const check = 'descriptors';
  const limit = limitOf(read, LIMIT);
  if (limit === undefined) return [unknown(check, whyUnreadable(read, '/proc/self/limits'))];
  if (outlook?.ok !== true) return [];
  const [soft, hard] = limit;
  const figure = soft === hard ? grouped(soft) : `${grouped(soft)} (hard limit ${grouped(hard)})`;
  const { maxSessions, short } = outlook.sessions;
  const room = `ulimit -n is ${figure}, room for ${grouped(maxSessions)} sessions`;
  const needed = DESCRIPTORS_NEEDED + NEEDED_BY_WORKER * Math.max(plan.workers - 2, 0);
  if (soft < needed)
    return [fail(check, `ulimit -n is ${figure}: lb4 needs ${grouped(needed)} to start`, raiseTo(needed))];
  if (short !== undefined) {
    const { wanted, descriptorsNeeded } = short;
    return [fail(check, `${room}; ${grouped(wanted)} are configured`, raiseTo(descriptorsNeeded))];
  }
  if (plan.maxSessions === undefined && maxSessions < FEW_SESSIONS)
    return [warn(check, `${room}; further clients wait`, raiseTo(65_536))];
  return [ok(check, room)];
}

function raiseTo(count: number): string {
  return `set it to at least ${count}: LimitNOFILE=${count} in a unit of systemd, --ulimit nofile=${count} for a container, ulimit -n ${count} in a shell`;
}

/** All processes together. */
export function openFiles({ machine: { read } }: Judged): Finding[] {
  const check = 'open files';
  const key = 'fs.file-nr';
  const [used, , most] = sysctl(read, key) ?? [];
  if (used === undefined || most === undefined) return [unknown(check, whyUnreadable(read, pathOf(key)))];
  // The kernel's word for no limit does not fit into a number.
  if (most > Number.MAX_SAFE_INTEGER) return [ok(check, `${grouped(used)} on the whole machine, no limit`)];
  const figure = `${grouped(used)} of ${grouped(most)} on the whole machine`;
  const advice = `sysctl -w fs.file-max=${most * 2}`;
  if (used >= most * FULL) return [fail(check, figure, advice)];
  return [used >= most * NEARLY ? warn(check, figure, advice) : ok(check, figure)];
}
