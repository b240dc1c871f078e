/**
 * `lb4 check -c FILE`: validates what `lb4 run` with the same options would load, and reports everything in it that is
 * wrong or probably wrong; with `--show` it prints what it means.
 *
 * Place: it also reads the files that the configuration names, because a balancer cannot start without them, and tries
 * the options of sockets that it asks for; nothing else is opened or resolved.
 */
import { isIP } from 'node:net';
import { dirname, resolve } from 'node:path';
import { formatIssues, formatWarning, inOrder, placeInWords } from '../config/report/format-issues.ts';
import type { Path } from '../config/report/issue.ts';
import { loadConfig } from '../config/source/load.ts';
import { accessInWords, clientInWords, proxyInWords } from '../composition/explain-access.ts';
import {
  problemsWithFiles,
  problemsWithLists,
  problemsWithTargets,
  problemsWithTls,
} from '../composition/problems-with-files.ts';
import { sourceOf } from '../observe/log-configuration.ts';
import { counted } from '../support/counted.ts';
import { UNIX } from '../model/networks.ts';
import { printable } from '../support/printable.ts';
import { atOnce } from '../support/slices.ts';
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
  /** An IP address, or `unix`: say what becomes of this client. */
  readonly client?: string;
}

export function check(options: CheckOptions, sources: OptionSources): ExitCode {
  const { config: file, show = false, client } = options;
  if (client !== undefined && client !== UNIX && isIP(client) === 0) {
    const found = printable(client);
    process.stderr.write(`lb4: option '--client': expected an IP address or unix, got "${found}"\n`);
    return EXIT.usage;
  }
  const loaded = loadConfig(loadRequestOf(options, sources));
  const { variables } = loaded;
  for (const each of variables === undefined ? [] : sources.unknownVariables(variables))
    process.stderr.write(`warning: ${printable(unknownVariableText(each))}\n`);
  if (!loaded.ok) return failed(loaded.message, exitCodeOf(loaded));
  const { config, locate, origin } = loaded;
  const baseDir = dirname(resolve(file ?? 'here'));
  const { problems: inLists, lists } = atOnce(problemsWithLists(config, baseDir));
  const tls = atOnce(problemsWithTls(config, { baseDir, wallClock: () => Date.now() }));
  const problems = [
    ...problemsWithFiles(config, baseDir, { config: file }),
    ...inLists,
    ...tls.problems,
    // A balancer that runs waits for such a file, and keeps what it has.
    ...problemsWithTargets(config, baseDir),
  ];
  const inFiles = inOrder(problems.map(locate));
  if (inFiles.length > 0) return failed(formatIssues(inFiles), exitCodeOfIssues(inFiles));
  const warnings = inOrder([...loaded.warnings, ...tls.warnings.map(locate)]);
  for (const each of warnings) process.stderr.write(`${formatWarning(each)}\n`);
  const parts = [counted(config.listeners.length, 'listener'), counted(config.upstreams.length, 'upstream')];
  if (warnings.length > 0) parts.push(counted(warnings.length, 'warning'));
  const summary = `${printable(sourceOf(file, loaded.options))}: valid, ${parts.join(', ')}\n`;
  const lines = client === undefined ? lists.map(accessInWords) : becomesOf(client);
  const text = [summary, ...lines.map(line => `${printable(line)}\n`)];
  // With the comments it is still YAML.
  if (show) process.stdout.write(`${text.map(line => `# ${line}`).join('')}${showConfig(config, origin)}`);
  else process.stdout.write(text.join(''));
  return EXIT.ok;

  function becomesOf(text: string): string[] {
    const address = text === UNIX ? '' : text;
    const placeOf = (path: Path): string | undefined =>
      placeInWords(locate({ path, kind: 'value', expected: '', got: '', message: '' }));
    return [
      ...config.listeners.flatMap(each => proxyInWords(each, address) ?? []),
      ...lists.map(each => clientInWords(each, address, placeOf)),
      ...config.listeners
        .filter(({ access }) => access === undefined)
        .map(({ name }) => `listener ${name}: has no access, so every client is allowed`),
    ];
  }
}

function failed(message: string, code: ExitCode): ExitCode {
  process.stderr.write(`${message}\n`);
  return code;
}
