/**
 * Server-sent events as text (HTML Living Standard, "Server-sent events"): pure.
 *
 * Place: event-streams.ts sends what is made here.
 * Invariant: an event is one `data:` line of JSON, whatever text is in it; nothing in it can begin a line.
 */
import { printableJson } from '../../support/printable.ts';
import type { Recorded } from './event-ring.ts';

/** How long a client waits before it connects again. */
const RETRY_MS = 2_000;

/** A recorded event, with its id. */
export function eventText({ name, atMs, fields }: Recorded, id: string): string {
  const data = { event: name, time: timeOf(atMs), ...fields };
  return `id: ${id}\nevent: ${name}\ndata: ${json(data)}\n\n`;
}

/** Events that cannot be sent any more; without a number where it is not known. */
export function missedText(events: number | undefined, atMs: number): string {
  return `event: missed\ndata: ${json({ event: 'missed', time: timeOf(atMs), events })}\n\n`;
}

export function statusText(status: object): string {
  return `event: status\ndata: ${json(status)}\n\n`;
}

/** The first lines of a stream: from here on the client has everything. */
export function openingText(id: string): string {
  return `retry: ${RETRY_MS}\nid: ${id}\n\n`;
}

/** A comment, and the id: a client that filters and has received nothing for long comes back to the right place. */
export function heartbeatText(id: string): string {
  return `:\nid: ${id}\n\n`;
}

function json(value: object): string {
  return printableJson(JSON.stringify(value));
}

function timeOf(atMs: number): string {
  return new Date(atMs).toISOString();
}
