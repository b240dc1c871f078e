/**
 * The `sendExpect` probe: sends something, or waits for the backend to speak first, and passes when the reply has what
 * is expected.
 *
 * Place: one kind of probe, over node:net; presets.ts has the dialogues of well-known servers. Replies are bytes,
 * held as latin1 text, so that patterns work on binary protocols. Where nothing may follow the reply (`isWhole`), lb4
 * ends its side and waits for the end of the other.
 * Invariants:
 * - No more than 4 KiB of a reply is held.
 * - A reply is judged by its bytes alone, however they were cut into pieces.
 */
import type { Cancel } from '../../engine/engine.ts';
import { startAttempt } from './attempt.ts';
import { noAnswer } from './no-answer.ts';
import type { Dialogue } from './presets.ts';
import { failed, PASSED, type Probe, type ProbeResult } from './probe.ts';
import { CLOSED_AT_ONCE, failureOf } from './probe-failure.ts';
import { leave } from './probe-socket.ts';
import { reach, type ReachDeps } from './reach.ts';
import { quoted } from './reason-text.ts';

const REPLY_LIMIT = 4096;
/** With `isWhole`: the silence after the reply that passes when the backend does not close. */
const SILENCE_MS = 200;

export interface SendExpectSettings {
  readonly timeoutMs: number;
  readonly dialogue: Dialogue;
}

export function createSendExpectProbe({ timeoutMs, dialogue }: SendExpectSettings, deps: ReachDeps): Probe {
  const { setTimer } = deps;
  const send = dialogue.send === undefined ? undefined : Buffer.from(dialogue.send, 'latin1');
  const bye = dialogue.bye === undefined ? undefined : Buffer.from(dialogue.bye, 'latin1');
  return (target, done) =>
    startAttempt<ProbeResult>({ timeoutMs, setTimer, done }, settle => {
      let reply = '';
      let isJudged = false;
      let stopListening: Cancel | undefined;
      const abandon = reach(target, { timeoutMs, ...deps }, reached => {
        if (!reached.ok) {
          settle(reached.result);
          return;
        }
        const { socket, kind } = reached;
        const end = (result: ProbeResult): void => {
          isJudged = true;
          leave(socket, { bye: result === PASSED ? bye : undefined, setTimer, timeoutMs });
          settle(result);
        };
        if (send !== undefined) socket.write(send);
        socket.on('data', chunk => {
          if (isJudged) return;
          reply += chunk.toString('latin1').slice(0, REPLY_LIMIT - reply.length);
          stopListening?.();
          stopListening = undefined;
          const result = judge(reply, dialogue);
          if (result === PASSED && dialogue.isWhole === true) {
            // As a rule our FIN makes the backend close at once: then nothing can follow.
            socket.end();
            stopListening = setTimer(() => end(PASSED), Math.min(SILENCE_MS, timeoutMs / 2));
          } else if (result !== undefined) end(result);
        });
        socket.on('end', () => {
          const why = reply === '' ? CLOSED_AT_ONCE : `closed after ${quoted(reply)}`;
          settle(stopListening === undefined ? failed(why) : PASSED);
        });
        socket.on('error', error => settle(stopListening === undefined ? failureOf(error, kind) : PASSED));
        socket.once('close', () => stopListening?.());
      });
      return {
        abandon,
        late: () => (stopListening === undefined ? noAnswer(timeoutMs, reply) : PASSED),
      };
    });
}

/** Undefined while more of the reply may decide. */
function judge(reply: string, { pass, fail, expected }: Dialogue): ProbeResult | undefined {
  const refusal = fail?.exec(reply);
  if (refusal) return failed(`answered ${quoted(refusal.groups?.['said']?.trim() ?? reply)}`);
  if (pass.test(reply)) return PASSED;
  if (reply.length < REPLY_LIMIT) return undefined;
  return failed(`${expected} not in the first 4 KiB, which begin ${quoted(reply)}`);
}
