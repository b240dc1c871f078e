/** The exit codes of `lb4`; part of its contract (docs/cli.md). 69 and 78 are those of sysexits.h. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  cannotBind: 69,
  badConfig: 78,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
