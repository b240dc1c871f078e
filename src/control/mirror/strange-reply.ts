/** What stands where Redis should has sent what Redis does not; `exchange-failure.ts` knows it by its first word. */
export class StrangeReply extends Error {
  override readonly name = 'StrangeReply';

  constructor(how: string) {
    super(`LB4STRANGE ${how}`);
  }
}
