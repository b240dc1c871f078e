/** From one picture to the next: right after any number of them, and no more is written than changes. */
import t from 'tap';
import { Screen, span, type Line, type Style } from '../../../../src/cli/top/screen.ts';
import { fc } from '../../../harness/properties.ts';
import { TerminalPicture } from '../../../harness/terminal-picture.ts';

const STYLES: readonly Style[] = ['plain', 'dim', 'bold', 'good', 'warn', 'bad', 'title', 'inverse'];
const line = fc.array(
  fc.record({
    text: fc.string({ unit: fc.constantFrom('a', 'b', ' ', ' ', '░', '█', '⣿', '…', '→'), maxLength: 12 }),
    style: fc.constantFrom(...STYLES),
  }),
  { maxLength: 4 },
);
const pictures = fc.array(fc.array(line, { maxLength: 7 }), { minLength: 1, maxLength: 6 });

function textOf(lines: readonly Line[], width: number, height: number): string[] {
  const texts = lines.slice(0, height).map(spans => {
    const text = spans.map(each => each.text).join('');
    return text.slice(0, width).trimEnd();
  });
  return [...texts, ...new Array<string>(height - texts.length).fill('')];
}

void t.test('after any pictures the terminal shows the last one', async t => {
  fc.assert(
    fc.property(pictures, fc.boolean(), (all, colour) => {
      const [screen, terminal] = [new Screen({ colour }), new TerminalPicture(20, 5)];
      for (const lines of all) {
        terminal.write(screen.changes(lines, 20, 5));
        t.strictSame(terminal.lines, textOf(lines, 20, 5));
      }
    }),
    { numRuns: 200 },
  );
});

void t.test('the same picture again writes nothing; one figure that changes writes that figure', async t => {
  const screen = new Screen({ colour: true });
  const of = (figure: string): Line[] => [[span('sessions '), span(figure, 'bold'), span(' of 100')]];
  screen.changes(of('12'), 80, 24);
  t.equal(screen.changes(of('12'), 80, 24), '');
  t.equal(screen.changes(of('13'), 80, 24), '\u001b[1;11H\u001b[0;1m3\u001b[0m');
});

void t.test('another size and a forgotten picture are drawn whole', async t => {
  const screen = new Screen({ colour: true });
  const lines = [[span('one')], [span('two')]];
  const whole = screen.changes(lines, 80, 24);
  t.match(whole, '\u001b[2J');
  t.match(screen.changes(lines, 81, 24), '\u001b[2J');
  screen.forget();
  t.match(screen.changes(lines, 81, 24), /one.*two/s);
});

void t.test('without colours no colour is set', async t => {
  const lines = [STYLES.map(style => span('x', style))];
  t.notMatch(new Screen({ colour: false }).changes(lines, 80, 24), /\u001b\[[0-9;]*3\d/);
  t.match(new Screen({ colour: true }).changes(lines, 80, 24), /\u001b\[0;1;31m/);
});
