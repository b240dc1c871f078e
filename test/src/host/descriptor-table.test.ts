/** Room in the table of descriptors, whatever the limit says. */
import t from 'tap';
import { growDescriptorTable } from '../../../src/host/descriptor-table.ts';

/** What is asked of the system, which grants only descriptors below `limit`. */
function asked(limit: number, granted = limit): string[] {
  const calls: string[] = [];
  growDescriptorTable(
    {
      fcntl: (_fd, _command, least) => {
        calls.push(`dup ${least}`);
        return least < granted ? least : -1;
      },
      close: fd => {
        calls.push(`close ${fd}`);
        return 0;
      },
    },
    limit,
  );
  return calls;
}

void t.test('the highest descriptor is had once and given back', async t => {
  t.strictSame(asked(1024), ['dup 1023', 'close 1023']);
});

void t.test('a limit of a thousand million does not make a table of 8 GB', async t => {
  t.strictSame(asked(1 << 30), ['dup 65535', 'close 65535']);
  t.strictSame(asked(Infinity), ['dup 65535', 'close 65535']);
});

void t.test('a descriptor that is refused is not closed', async t => {
  t.strictSame(asked(1024, 512), ['dup 1023']);
});
