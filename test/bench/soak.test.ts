/** What makes a soak fail, and what does not. */
import t from 'tap';
import { judge, type Reading, type SoakOutcome } from '../../bench/soak/verdict.ts';

const MIB = 1024 ** 2;

/** Readings every 5 %, of a process of 100 MiB that grows by so many bytes per session after `from`. */
function readings(sessions: number, bytesPerSession: number, from = 0): Reading[] {
  return Array.from({ length: 20 }, (_, index) => {
    const done = (sessions * (index + 1)) / 20;
    return { sessions: done, residentBytes: 100 * MIB + Math.max(done - from, 0) * bytesPerSession };
  });
}

const sound: SoakOutcome = {
  sessions: 1_000_000,
  failures: 0,
  socketsBefore: 3,
  socketsAfter: 3,
  readings: readings(1_000_000, 0),
};

void t.test('passes when nothing failed, nothing is left and memory is flat', async t => {
  t.same(judge(sound).problems, []);
  t.equal(judge(sound).growthBytes, 0);
  t.same(judge({ ...sound, socketsAfter: 2 }).problems, []);
});

void t.test('one failed session fails it, and so does one socket left', async t => {
  t.match(judge({ ...sound, failures: 1 }).problems, [/1 sessions failed/]);
  t.match(judge({ ...sound, socketsAfter: 4 }).problems, [/1 sockets are still open/]);
});

void t.test('a leak of 24 bytes per session is found in a million sessions', async t => {
  const verdict = judge({ ...sound, readings: readings(1_000_000, 24) });
  t.equal(Math.round(verdict.bytesPerSession), 24);
  t.equal(Math.round(verdict.growthBytes), 12_000_000);
  t.match(verdict.problems, [/memory grew by 24\.0 bytes per session/]);
});

void t.test('growth in the first half, and a heap that swings, are no leak', async t => {
  const early = readings(1_000_000, 0).map(reading => ({
    ...reading,
    residentBytes: reading.sessions < 500_000 ? reading.residentBytes - 80 * MIB : reading.residentBytes,
  }));
  t.same(judge({ ...sound, readings: early }).problems, []);
  const swinging = sound.readings.map((reading, index) => ({
    ...reading,
    residentBytes: reading.residentBytes + (index % 2) * 12 * MIB,
  }));
  t.same(judge({ ...sound, readings: swinging }).problems, []);
});

void t.test('a memory that was not read is not called flat', async t => {
  t.match(judge({ ...sound, readings: [] }).problems, [/too few readings/]);
});
