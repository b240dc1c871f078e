/**
 * Which replies a command may have: those that ioredis takes without a mistake.
 *
 * Place: `reply-guard.ts` asks before ioredis sees a reply. Pure.
 * Why: ioredis trusts what it reads. A number as answer to SUBSCRIBE, a redirection to nowhere or a slot of 2^40 ends
 * the process: by an error thrown where lb4 cannot catch it, or by a loop.
 */
import { replyValue, type ReplyValue } from './reply-value.ts';

/** The first words of a command, in lower case: `client setname`. */
export type CommandName = string;

const SLOTS = 16_384;
/** A master and its replicas. */
const MOST_NODES_OF_A_SLOT = 100;
const HOST = /^[\w.:%?-]{1,255}$/;

/** The fault in a whole reply to a command; undefined: none. */
export function wrongWithReply(command: CommandName, reply: Buffer): string | undefined {
  const type = reply.toString('latin1', 0, 1);
  if (type === '-' || type === '!') return wrongWithError(replyValue(reply));
  // Replies to scripts may be large, and `exchange-codec.ts` looks at every part of them.
  if (command === 'eval' || command === 'evalsha') return undefined;
  const isRight = SHAPES[command] ?? SHAPES[command.split(' ', 1)[0] ?? ''];
  return isRight === undefined || isRight(replyValue(reply)) ? undefined : `that is no answer to ${command}`;
}

/** The kind of a push, or of a message in RESP2. ioredis ignores `other`. */
export function pushOf(reply: Buffer): 'message' | 'subscribe' | 'unsubscribe' | 'other' | 'wrong' {
  const value = replyValue(reply);
  const [kind, channel, rest, ...more] = value.kind === 'list' ? value.items : [];
  if (kind?.kind !== 'text') return 'wrong';
  if (!['message', 'subscribe', 'unsubscribe'].includes(kind.text)) {
    // Wrong are the other kinds that ioredis handles: lb4 does not subscribe to them. It ignores the rest.
    return /^(?:[ps]|ps)?(?:message|(?:un)?subscribe)$/.test(kind.text) ? 'wrong' : 'other';
  }
  const isWhole = channel?.kind === 'text' && rest !== undefined && more.length === 0;
  if (!isWhole) return 'wrong';
  if (kind.text === 'message') return rest.kind === 'text' ? 'message' : 'wrong';
  if (!isWithin(rest, 0, 1_000_000)) return 'wrong';
  return kind.text === 'subscribe' ? 'subscribe' : 'unsubscribe';
}

/** The answers to these commands. Any answer to another command is right: ioredis passes it on as it is. */
const SHAPES: Readonly<Record<string, (value: ReplyValue) => boolean>> = {
  hello: value => value.kind === 'list',
  auth: isText,
  select: isText,
  client: isText,
  readonly: isText,
  readwrite: isText,
  asking: isText,
  // A pong in RESP2, after a SUBSCRIBE.
  ping: value => isText(value) || isPong(value),
  // Their right answers are pushes, or look like pushes: `reply-guard.ts` takes those before it asks here.
  subscribe: () => false,
  unsubscribe: () => false,
  'cluster slots': isSlots,
  'sentinel get-master-addr-by-name': value =>
    value.kind === 'null' || (value.kind === 'list' && value.items.every(isText) && isNode(value.items)),
  'sentinel sentinels': value => value.kind === 'list' && value.items.every(isSentinel),
};

function wrongWithError(error: ReplyValue): string | undefined {
  if (error.kind !== 'error' || !/^(?:MOVED|ASK)\b/.test(error.text)) return undefined;
  const [, slot, host = '', port] = /^(?:MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(error.text) ?? [];
  // Without a host, the redirection means the host of the node that sent it.
  const isRight = Number(slot) < SLOTS && (host === '' || HOST.test(host)) && isPort(Number(port));
  return isRight ? undefined : 'a redirection leads nowhere';
}

function isSlots(value: ReplyValue): boolean {
  if (value.kind !== 'list') return false;
  let slots = 0;
  for (const range of value.items) {
    if (range.kind !== 'list') return false;
    const [first, last, ...nodes] = range.items;
    if (!isWithin(first, 0, SLOTS - 1) || !isWithin(last, Number(first.text), SLOTS - 1)) return false;
    slots += Number(last.text) - Number(first.text) + 1;
    // More slots than there are means that some come twice: ioredis would go through all of them for each range.
    if (slots > SLOTS || nodes.length > MOST_NODES_OF_A_SLOT) return false;
    if (!nodes.every(node => node.kind === 'list' && isNode(node.items))) return false;
  }
  return true;
}

/** A node's host (none where it is unknown), its port, and more that ioredis does not read. */
function isNode([host, port]: readonly ReplyValue[]): boolean {
  if (host?.kind === 'null') return true;
  const isHost = host?.kind === 'text' && (host.text === '' || HOST.test(host.text));
  return isHost && (port?.kind === 'number' || port?.kind === 'text') && isPort(Number(port.text));
}

/** Names and values, alternately; ioredis skips a Sentinel without an address. */
function isSentinel(value: ReplyValue): boolean {
  if (value.kind !== 'list' || !value.items.every(isText)) return false;
  return value.items.every(({ text }, i) => {
    if (i % 2 === 1) return true;
    const field = value.items[i + 1];
    if (text === 'ip') return isText(field) && HOST.test(field.text);
    return text !== 'port' || (isText(field) && isPort(Number(field.text)));
  });
}

function isPong(value: ReplyValue): boolean {
  return (
    value.kind === 'list' &&
    value.items.length === 2 &&
    value.items.every(isText) &&
    value.items[0]?.text === 'pong'
  );
}

function isText(value: ReplyValue | undefined): value is ReplyValue & { kind: 'text' } {
  return value?.kind === 'text';
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function isWithin(
  value: ReplyValue | undefined,
  least: number,
  most: number,
): value is ReplyValue & { kind: 'number' } {
  return value?.kind === 'number' && Number(value.text) >= least && Number(value.text) <= most;
}
