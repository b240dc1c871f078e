/**
 * `lb4 check -c FILE`: validates a configuration file and reports everything in it that is wrong or probably wrong; with
 * `--show` it prints what the file means.
 *
 * Place: it also reads the files that the configuration names, because a balancer cannot start without them; nothing
 * else is opened or resolved.
 */
import { dirname, resolve } from 'node:path';
import { formatIssues, formatWarning, inOrder } from '../config/report/format-issues.ts';
import { loadConfigFile } from '../config/source/load.ts';
import { problemsWithFiles } from '../composition/problems-with-files.ts';
import { counted } from '../support/counted.ts';
import { printable } from '../support/printable.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { showConfig } from './show-config.ts';

export function check(
  file: string,
  { show = false }: { readonly show?: boolean | undefined } = {},
): ExitCode {
  const loaded = loadConfigFile(file, process.env);
  const message = loaded.ok
    ? formatIssues(inOrder(problemsWithFiles(loaded.config, dirname(resolve(file))).map(loaded.locate)))
    : loaded.message;
  if (loaded.ok && message === '') {
    const { warnings, config } = loaded;
    for (const each of warnings) process.stderr.write(`${formatWarning(each)}\n`);
    const parts = [
      counted(config.listeners.length, 'listener'),
      counted(config.upstreams.length, 'upstream'),
    ];
    if (warnings.length > 0) parts.push(counted(warnings.length, 'warning'));
    const summary = `${printable(file)}: valid, ${parts.join(', ')}\n`;
    // With the comment it is still YAML.
    process.stdout.write(show ? `# ${summary}${showConfig(config, loaded.origin)}` : summary);
    return EXIT.ok;
  }
  process.stderr.write(`${message}\n`);
  return EXIT.badConfig;
}
