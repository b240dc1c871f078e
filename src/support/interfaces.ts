/**
 * The network interfaces of this machine, with their addresses.
 *
 * Place: for code that asks what this machine can reach, or what leads back to it.
 * Invariant: never throws; the list is empty where the system forbids the question (a sandbox, Android).
 */
import { networkInterfaces } from 'node:os';

export type Interfaces = ReturnType<typeof networkInterfaces>;

export function ownInterfaces(): Interfaces {
  try {
    return networkInterfaces();
  } catch {
    return {};
  }
}
