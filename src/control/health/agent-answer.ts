/**
 * What an agent says about its backend: one line of words, as in HAProxy's agent-check.
 *
 * Place: pure; the agent checker feeds it a line, control applies the answer.
 * Form: words in any order and case, separated by spaces, tabs and commas. Of several of one kind the last counts.
 * Unknown words are skipped, so that an agent written for a later HAProxy still works. `#` begins a description of the
 * state.
 * Source: HAProxy's configuration manual, "agent-check", and tcpcheck_agent_expect_reply in its src/tcpcheck.c.
 * One difference: `down#why` without a space is `down` with a description, as the manual says.
 */
import { oneLine } from './reason-text.ts';

export interface AgentAnswer {
  /** Percent of the configured weight, 0 to 25600; 0: no new sessions. */
  readonly percent?: number;
  /** Most sessions at a time; 0: no limit. */
  readonly maxSessions?: number;
  /** The administrative state. */
  readonly state?: 'ready' | 'drain' | 'maint';
  readonly health?: 'up' | 'down';
  /** The description, on one line; only together with `health`. */
  readonly why?: string;
}

/** HAProxy's cap: the lowest weight, 1, times this is the highest, 256. */
const MOST_PERCENT = 25_600;
const MOST_SESSIONS = 2 ** 31 - 1;
const DOWN_WORDS = ['down', 'fail', 'failed', 'stopped'];

/** The answer in the first line of `text`. What the line leaves out is absent; an empty line is `{}`. */
export function parseAgentAnswer(text: string): AgentAnswer {
  const [line = ''] = text.split(/[\r\n]/, 1);
  const hash = line.indexOf('#');
  const words = (hash === -1 ? line : line.slice(0, hash)).split(/[ \t,]+/);
  let answer: AgentAnswer = {};
  for (const word of words) answer = { ...answer, ...meaningOf(word.toLowerCase()) };
  const why = hash === -1 ? '' : oneLine(line.slice(hash + 1).trim());
  return answer.health === undefined || why === '' ? answer : { ...answer, why };
}

function meaningOf(word: string): AgentAnswer {
  if (word === 'up') return { health: 'up' };
  if (DOWN_WORDS.includes(word)) return { health: 'down' };
  if (word === 'ready' || word === 'drain' || word === 'maint') return { state: word };
  const percent = /^(\d+)%$/.exec(word)?.[1];
  if (percent !== undefined) return { percent: Math.min(Number(percent), MOST_PERCENT) };
  const sessions = /^maxconn:(\d+)$/.exec(word)?.[1];
  return sessions === undefined ? {} : { maxSessions: Math.min(Number(sessions), MOST_SESSIONS) };
}
