/** `lb4 reload` asks a running lb4 to read its file again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCommandLine } from '../harness/command-line.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const commandLine = startCommandLine(t);

void t.test('it prints what changes; with --dry-run nothing does; a bad file changes nothing', async t => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'lb4.yaml');
  const write = (weight: number): void =>
    writeFileSync(
      file,
      `listeners: [{ name: web, bind: '127.0.0.1:0', upstream: app }]\nupstreams: [{ name: app, backends: [{ address: '127.0.0.1:1', weight: ${weight} }] }]\n`,
    );
  write(1);
  const name = `test-${process.pid}-reload`;
  const env = { XDG_RUNTIME_DIR: folder, LB4_ADMIN_SOCKET: 'auto', LB4_NAME: name };
  const lb4 = (...args: string[]) => commandLine(args, { ...process.env, ...env });
  const running = await startLb4(t, ['-c', file, '--workers', '0'], { env });
  await running.line(({ event }) => event === 'adminListening');
  const weight = async (): Promise<unknown> => JSON.parse((await lb4('backends', '--json')).stdout);

  t.match(await lb4('reload'), { code: 0, stdout: 'nothing changes\n' });
  write(7);
  t.match(await lb4('reload', '--dry-run'), { code: 0, stdout: /weight/ });
  t.match(await weight(), { upstreams: [{ backends: [{ weight: 1 }] }] });
  t.match(await lb4('reload'), { code: 0, stdout: /weight/ });
  t.match(await weight(), { upstreams: [{ backends: [{ weight: 7 }] }] });
  write(700);
  t.match(await lb4('reload'), { code: 1, stdout: '', stderr: /weight.*integer from 0 to 256/ });
  t.match(await weight(), { upstreams: [{ backends: [{ weight: 7 }] }] });
  t.equal(await running.stop(), 0);
});
