/**
 * From the options of the command line to what is loaded: the same for `run`, which balances by it, and `check`, which
 * looks whether it could.
 *
 * Place: run.ts and check.ts; program.ts says where the options come from.
 */
import { resolve } from 'node:path';
import type { UnknownVariable } from '../config/source/environment.ts';
import type { FlagName, FlagSource, RunFlags } from '../config/source/flags.ts';
import type { ConfigLoadResult, LoadRequest } from '../config/source/load.ts';
import type { LocatedIssue } from '../config/report/issue.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export interface LoadOptions extends RunFlags {
  readonly config?: string;
}

/** Where the options come from. */
export interface OptionSources {
  /** Whether an option was typed or came from its environment variable. */
  sourceOf(flag: FlagName): FlagSource;
  /** Variables that look like options and are none, except those that the configuration file uses. */
  unknownVariables(used: ReadonlySet<string>): readonly UnknownVariable[];
}

export function loadRequestOf(options: LoadOptions, sources: OptionSources): LoadRequest {
  const { config, strategy, adminTokenFile, tlsCert, tlsKey } = options;
  const flags = {
    ...options,
    strategy: fromHere(strategy),
    adminTokenFile: fileFromHere(adminTokenFile),
    tlsCert: fileFromHere(tlsCert),
    tlsKey: fileFromHere(tlsKey),
  };
  return { file: config, flags, sourceOf: flag => sources.sourceOf(flag), env: process.env };
}

export function exitCodeOf(loaded: ConfigLoadResult & { readonly ok: false }): ExitCode {
  return loaded.kind === 'unreadable' ? EXIT.badConfig : exitCodeOfIssues(loaded.issues);
}

/** Options alone are at fault, or the file is, too. */
export function exitCodeOfIssues(issues: readonly LocatedIssue[]): ExitCode {
  const fromOptions = issues.every(({ place }) => place !== undefined && 'option' in place);
  return fromOptions ? EXIT.usage : EXIT.badConfig;
}

export function unknownVariableText({ name, meant }: UnknownVariable): string {
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return `the environment variable ${name} belongs to no option and changes nothing${hint}`;
}

function fileFromHere(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

/** Paths in a file are relative to the file's folder, a typed path to the working directory. */
function fromHere(strategy: string | undefined): string | undefined {
  const isPath = strategy !== undefined && /[./]/.test(strategy);
  return isPath ? resolve(strategy) : strategy;
}
