/**
 * `lb4 check -c FILE`: validates what `lb4 run` with the same options would load, and reports everything in it that is
 * wrong or probably wrong; with `--show` it prints what it means.
 *
 * Place: it also reads the files that the configuration names, because a balancer cannot start without them, and tries
 * the options of sockets that it asks for; nothing else is opened or resolved.
 */
import { dirname, resolve } from 'node:path';
import { formatIssues, formatWarning, inOrder } from '../config/report/format-issues.ts';
import { loadConfig } from '../config/source/load.ts';
import { problemsWithFiles } from '../composition/problems-with-files.ts';
import { sourceOf } from '../observe/log-configuration.ts';
import { counted } from '../support/counted.ts';
import { printable } from '../support/printable.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import {
  exitCodeOf,
  exitCodeOfIssues,
  loadRequestOf,
  unknownVariableText,
  type LoadOptions,
  type OptionSources,
} from './load-request.ts';
import { showConfig } from './show-config.ts';

export interface CheckOptions extends LoadOptions {
  readonly show?: boolean;
}

export function check(options: CheckOptions, sources: OptionSources): ExitCode {
  const { config: file, show = false } = options;
  const loaded = loadConfig(loadRequestOf(options, sources));
  const { variables } = loaded;
  for (const each of variables === undefined ? [] : sources.unknownVariables(variables))
    process.stderr.write(`warning: ${printable(unknownVariableText(each))}\n`);
  if (!loaded.ok) return failed(loaded.message, exitCodeOf(loaded));
  const { config, locate, origin, warnings } = loaded;
  const baseDir = dirname(resolve(file ?? 'here'));
  const inFiles = inOrder(problemsWithFiles(config, baseDir, { config: file }).map(locate));
  if (inFiles.length > 0) return failed(formatIssues(inFiles), exitCodeOfIssues(inFiles));
  for (const each of warnings) process.stderr.write(`${formatWarning(each)}\n`);
  const parts = [counted(config.listeners.length, 'listener'), counted(config.upstreams.length, 'upstream')];
  if (warnings.length > 0) parts.push(counted(warnings.length, 'warning'));
  const summary = `${printable(sourceOf(file, loaded.options))}: valid, ${parts.join(', ')}\n`;
  // With the comment it is still YAML.
  process.stdout.write(show ? `# ${summary}${showConfig(config, origin)}` : summary);
  return EXIT.ok;
}

function failed(message: string, code: ExitCode): ExitCode {
  process.stderr.write(`${message}\n`);
  return code;
}
