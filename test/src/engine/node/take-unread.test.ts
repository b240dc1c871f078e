import { PassThrough } from 'node:stream';
import type { Socket } from 'node:net';
import t from 'tap';
import { takeUnread } from '../../../../src/engine/node/take-unread.ts';

void t.test('what a stream still holds is taken, in order and once; texts are none of it', t => {
  const stream = new PassThrough();
  const taken: string[] = [];
  stream.on('data', () => t.fail('its listener is gone'));
  stream.pause();
  stream.write('one ');
  stream.write('two');
  takeUnread(stream as unknown as Socket, chunk => taken.push(chunk.toString()));
  t.equal(taken.join(''), 'one two');
  const texts = new PassThrough({ encoding: 'utf8' });
  texts.write('no bytes');
  takeUnread(texts as unknown as Socket, () => t.fail('a text was taken'));
  t.end();
});
