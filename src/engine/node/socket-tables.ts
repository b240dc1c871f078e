/**
 * What is on its way to a peer, from the kernel's socket tables: for systems without the C library.
 *
 * Place: behind send-queues.ts. One pass over a table answers all looks that wait, and begins at once unless another
 * pass runs or rests.
 * Cost: a pass is proportional to all sockets of the network namespace, TIME_WAIT included (measured: 30 ms for
 * 2,700, 300 ms for 60,000, most of it in Node's thread pool, and never more than a page at a time in this thread).
 * So it ends with the last socket that is looked for, and a rest in proportion to its length follows: it takes no
 * more than a fifth of a core, and with 60,000 sockets an answer takes seconds.
 * Invariants:
 * - every look is answered exactly once, never before `look` has returned;
 * - a table that cannot be read for want of descriptors or memory is read again later; one that does not exist is
 *   'unknown'.
 */
import { systemCode } from '../../errors.ts';
import type { SetTimer } from '../../support/timer.ts';
import { readSendQueues, tcpRow, type TcpRow, type TcpTable } from './proc-net-tcp.ts';
import type { Left, SendQueues, Sending } from './send-queues.ts';

interface Asked {
  readonly sending: Sending;
  readonly row: TcpRow;
  readonly tell: (left: Left) => void;
  missedPasses: number;
}

/** Lines of a pass for each millisecond of rest after it: a rest about four times as long as the pass itself. */
const LINES_PER_MS = 50;
const SHORTEST_REST_MS = 10;
/** Errors that stop a pass, but go away by themselves. */
const PASSING = ['EMFILE', 'ENFILE', 'ENOMEM'];
const PASSING_REST_MS = 200;
/** The table is not read in one piece: a socket can be missed once although it exists. */
const PASSES_TO_BE_GONE = 3;

export function createSocketTables(deps: {
  readonly setTimer: SetTimer;
  readonly procNet: string;
  /** Default: reads the file. */
  readonly read?: typeof readSendQueues;
}): SendQueues {
  const { setTimer, procNet, read = readSendQueues } = deps;
  let asked = new Set<Asked>();
  let isBusy = false;

  function begin(): void {
    if (isBusy || asked.size === 0) return;
    isBusy = true;
    // Looks that are asked for in the same turn are answered by the same pass.
    setImmediate(() => void pass());
  }

  async function pass(): Promise<void> {
    const looked = asked;
    asked = new Set();
    const restMs = Math.max(await lookUp('tcp', looked), await lookUp('tcp6', looked));
    setTimer(() => {
      isBusy = false;
      begin();
    }, restMs);
  }

  /** Looks up the sockets of one table; resolves to the rest that is due after it. */
  async function lookUp(table: TcpTable, looked: ReadonlySet<Asked>): Promise<number> {
    // One socket may be asked about twice, by a reset that waits and by a deadline.
    const byKey = new Map<string, Asked[]>();
    for (const each of looked) {
      if (each.row.table !== table) continue;
      const others = byKey.get(each.row.key);
      if (others === undefined) byKey.set(each.row.key, [each]);
      else others.push(each);
    }
    if (byKey.size === 0) return 0;
    try {
      const lines = await read(`${procNet}/${table}`, (key, unackedBytes) => {
        const found = byKey.get(key);
        if (found === undefined) return true;
        byKey.delete(key);
        for (const { tell, sending } of found) tell(unackedBytes + sending.queuedBytes);
        return byKey.size > 0;
      });
      for (const each of [...byKey.values()].flat()) miss(each);
      return Math.max(lines / LINES_PER_MS, SHORTEST_REST_MS);
    } catch (error) {
      const isPassing = PASSING.includes(systemCode(error));
      for (const each of [...byKey.values()].flat()) {
        if (isPassing) asked.add(each);
        else each.tell('unknown');
      }
      return isPassing ? PASSING_REST_MS : SHORTEST_REST_MS;
    }
  }

  function miss(each: Asked): void {
    each.missedPasses++;
    if (each.missedPasses < PASSES_TO_BE_GONE) asked.add(each);
    else each.tell(0);
  }

  return {
    look(sending, tell) {
      const row = sending.isTcp ? tcpRow(sending.kernelSocket) : undefined;
      if (row !== undefined) {
        asked.add({ sending, row, tell, missedPasses: 0 });
        begin();
      } else {
        // A socket without a peer has nothing on its way; what a unix socket holds is in no table.
        setImmediate(() => tell(sending.isTcp ? 0 : 'unknown'));
      }
    },
  };
}
