/** Lines as messages, each whole or not at all; the sender is one that answers as the test says. */
import t from 'tap';
import { cut, linesOf, MessageOutput } from '../../../../src/observe/destinations/messages.ts';
import type { Written } from '../../../../src/observe/output.ts';

function create() {
  const sent: string[] = [];
  /** For the next messages; then all are sent. */
  const answers: (string | undefined)[] = [];
  const counts = { closed: 0 };
  const output = new MessageOutput(
    {
      send: message => {
        const code = answers.shift();
        if (code === undefined) sent.push(Buffer.from(message).toString());
        return code;
      },
      close: () => void (counts.closed += 1),
    },
    line => Buffer.concat([Buffer.from('<'), line, Buffer.from('>')]),
  );
  const write = (text: string): Written[] => {
    const written: Written[] = [];
    output.write(Buffer.from(text), each => written.push(each));
    return written;
  };
  return { output, sent, answers, counts, write };
}

void t.test('each line is a message of its own', t => {
  const { write, sent } = create();
  t.strictSame(write('one\ntwo\n'), [{ taken: 8 }]);
  t.strictSame(sent, ['<one>', '<two>']);
  t.end();
});

void t.test('a receiver that is full or gone has the rest for another time', t => {
  for (const [code, reported] of [
    ['EAGAIN', 'EAGAIN'],
    ['ENOBUFS', 'EAGAIN'],
    ['ECONNREFUSED', 'ECONNREFUSED'],
    ['ENOENT', 'ENOENT'],
  ] as const) {
    const { write, sent, answers } = create();
    answers.push(undefined, code);
    t.strictSame(write('one\ntwo\nthree\n'), [{ taken: 4, code: reported }]);
    t.strictSame(sent, ['<one>']);
  }
  t.end();
});

void t.test('a message that is too long is cut, and lost alone where even that is too long', t => {
  const { write, sent, answers } = create();
  const long = 'x'.repeat(5_000);
  answers.push('EMSGSIZE');
  t.strictSame(write(`${long}\n`), [{ taken: 5_001 }]);
  t.equal(sent[0]?.length, 2 + 1_998, 'a mark takes three bytes');
  answers.push('EMSGSIZE', 'EMSGSIZE');
  t.strictSame(write('one\ntwo\n'), [{ taken: 4, code: 'EMSGSIZE', lost: 1 }]);
  answers.push('EMSGSIZE', 'EAGAIN');
  t.strictSame(
    write('one\ntwo\n'),
    [{ taken: 0, code: 'EAGAIN' }],
    'one that may be taken later is not lost',
  );
  t.end();
});

void t.test('a receiver that stays full is connected again now and then: another may have its place', t => {
  const { write, answers, counts } = create();
  for (let i = 1; i <= 48; i++) {
    answers.push('EAGAIN');
    write('one\n');
    t.equal(counts.closed, Math.floor(i / 16));
  }
  write('one\n');
  for (let i = 0; i < 15; i++) {
    answers.push('EAGAIN');
    write('one\n');
  }
  t.equal(counts.closed, 3, 'and counted anew once it has taken something');
  t.end();
});

void t.test(
  'at the exit of the process what the receiver takes is sent, and closing closes the sender',
  t => {
    const { output, sent, answers, counts } = create();
    answers.push(undefined, 'EAGAIN');
    output.writeNow(Buffer.from('one\ntwo\n'));
    t.strictSame(sent, ['<one>']);
    output.close();
    t.equal(counts.closed, 1);
    t.end();
  },
);

void t.test('a chunk that ends within a line has that part as its last line', t => {
  t.strictSame(
    [...linesOf(Buffer.from('a\n\nb'))].map(line => line.toString()),
    ['a', '', 'b'],
  );
  t.end();
});

void t.test('a text is cut between two characters, however many bytes they have', t => {
  const text = Buffer.from('aé€😀z');
  for (let most = 3; most <= text.length; most++) {
    const short = cut(text, most);
    t.ok(short.length <= most);
    t.notMatch(short.toString(), /\ufffd/);
    t.equal(short.toString().endsWith('…'), most < text.length);
  }
  t.end();
});
