/**
 * What has become of an upgrade.
 *
 * Place: the command line makes it; log and admin API show it.
 */

export type UpgradeReport =
  | { readonly ok: true; readonly pid: number; readonly version: string }
  | {
      readonly ok: false;
      /** `refused`: no process was started. `failed`: one was, and has not become ready. Nothing has changed. */
      readonly reason: 'refused' | 'failed';
      /** A sentence each. */
      readonly problems: readonly string[];
    };
