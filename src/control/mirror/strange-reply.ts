/** The server sends what Redis does not send; `exchange-failure.ts` recognises the error by its first word. */
export class StrangeReply extends Error {
  override readonly name = 'StrangeReply';

  constructor(how: string) {
    super(`LB4STRANGE ${how}`);
  }
}
