/**
 * An answer that says what went wrong (RFC 9457, `application/problem+json`).
 *
 * Place: thrown by routes and by what runs before them; `dispatch.ts` turns it into a response.
 */
import { STATUS_CODES, type OutgoingHttpHeaders } from 'node:http';
import { Lb4Error, wordsOf, type ErrorCode } from '../errors.ts';

const MOST_QUOTED = 300;

export interface ProblemBody {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
}

export class Problem extends Error {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;

  constructor(status: number, detail: string, headers: OutgoingHttpHeaders = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }

  get body(): ProblemBody {
    return { status: this.status, title: STATUS_CODES[this.status] ?? 'Problem', detail: this.message };
  }
}

/** What a client sent, as a part of a sentence. */
export function quotable(text: string): string {
  return text.length <= MOST_QUOTED ? text : `${text.slice(0, MOST_QUOTED)}…`;
}

/** A whole response, for a client whose request has no response object: the last one on its connection. */
export function problemText({ status, body }: Problem): string {
  const text = `${JSON.stringify(body)}\n`;
  const headers = [
    'Content-Type: application/problem+json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
  ];
  return `HTTP/1.1 ${status} ${body.title}\r\n${headers.join('\r\n')}\r\n\r\n${text}`;
}

const STATUS: Partial<Record<ErrorCode, number>> = {
  LB4_CONFIG_INVALID: 400,
  LB4_STRATEGY_INVALID: 400,
  LB4_UNKNOWN_UPSTREAM: 404,
  LB4_UNKNOWN_BACKEND: 404,
  LB4_WRONG_STATE: 409,
  LB4_NEEDS_RESTART: 409,
  LB4_LISTEN_FAILED: 409,
  LB4_TOO_MANY_SLOTS: 409,
};

/** The problem that an error stands for; undefined for a defect. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  const status = error instanceof Lb4Error ? STATUS[error.code] : undefined;
  return status === undefined ? undefined : new Problem(status, wordsOf(error));
}
