/**
 * What a peek has shown, for the parts of the engine suite about first bytes.
 */
import type { Test } from 'tap';

import type { Connection, PeekState } from '../../../src/engine/engine.ts';
import { until } from '../../harness/until.ts';

export interface Peeked {
  /** How often it has shown something. */
  readonly times: () => number;
  readonly bytes: () => Buffer;
  readonly state: () => PeekState | undefined;
  readonly untilText: (text: string) => Promise<void>;
  readonly untilState: (state: PeekState) => Promise<void>;
}

/** Peeks; fails the test if what is shown breaks the contract. */
export function peekAt(t: Test, connection: Connection, limitBytes = 16 * 1024): Peeked {
  const shown: { readonly view: Uint8Array; readonly copy: Buffer; readonly state: PeekState }[] = [];
  let returned = false;
  connection.peek(limitBytes, (view, state) => {
    const last = shown.at(-1);
    if (!returned) t.fail('it shows bytes before it has returned');
    if (view.length > limitBytes) t.fail('it shows more than its limit');
    if ((view.length === limitBytes) !== (state === 'full')) t.fail('full means: as many as the limit');
    if (last !== undefined) {
      if (last.state !== 'open') t.fail('it shows something after its end');
      if (state === 'open' && view.length <= last.view.length) t.fail('it shows nothing new');
      if (!last.copy.equals(view.subarray(0, last.copy.length))) t.fail('what was shown is not shown again');
    }
    shown.push({ view, copy: Buffer.from(view), state });
  });
  returned = true;
  t.teardown(() => {
    if (!shown.every(({ view, copy }) => copy.equals(view))) t.fail('what was shown has changed');
  });
  const bytes = (): Buffer => shown.at(-1)?.copy ?? Buffer.alloc(0);
  const state = (): PeekState | undefined => shown.at(-1)?.state;
  return {
    times: () => shown.length,
    bytes,
    state,
    untilText: async text => {
      await until(`"${text}" is shown`, () => bytes().toString() === text);
    },
    untilState: async wanted => {
      await until(`it shows "${wanted}"`, () => state() === wanted);
    },
  };
}
