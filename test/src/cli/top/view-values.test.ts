import t from 'tap';
import { bytesText, failedText, timeText } from '../../../../src/cli/top/view-values.ts';

void t.test('the values as text', async t => {
  t.same([0, 999.4, 1_000, 9_940, 10_400, 34e6, 1.5e15].map(bytesText), [
    ...['0', '999', '1.0k', '9.9k', '10k', '34M', '1500T'],
  ]);
  const failed = (all: number, of: number) => failedText({ all, failed: of });
  t.same(
    [failed(0, 0), failed(9, 0), failed(9_000, 1), failed(1_000, 4), failed(100, 12), failed(3, 4)],
    ['-', '0%', '<0.1%', '0.4%', '12%', '100%'],
  );
  const time = (bucket: number) => timeText([[bucket, 1]], 0.99);
  t.same(
    [timeText([], 0.5), time(-90), time(-50), time(8), time(41)],
    ['-', '0.4ms', '13ms', '2.0s', '>32s'],
  );
});
