/**
 * The TCP segments that this network namespace has sent, from /proc/net/snmp.
 *
 * Both ends of a loopback connection are in the count, and everything else in the namespace: exact where the run has
 * one of its own (processes/own-network.ts). Retransmissions are not in it; resets are.
 */
import { readFileSync } from 'node:fs';

const FILE = '/proc/net/snmp';
const FIELD = 'OutSegs';

/** Segments sent since the namespace was made; undefined where the system does not tell. */
export function sentSegments(): number | undefined {
  try {
    return sentSegmentsIn(readFileSync(FILE, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The same from the text of that file: a line of names, then a line of values, each after its protocol. */
export function sentSegmentsIn(snmp: string): number | undefined {
  const [names, values] = snmp
    .split('\n')
    .filter(line => line.startsWith('Tcp:'))
    .map(line => line.trim().split(/\s+/));
  const value = values?.[names?.indexOf(FIELD) ?? -1];
  return value === undefined ? undefined : Number(value);
}
