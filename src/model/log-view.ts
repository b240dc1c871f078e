/** How a log of the process is doing. Place: the command line says it, the admin API shows it. */
export interface LogView {
  /** Where the access log has no destination of its own there is one log, and this is `log`. */
  readonly log: 'log' | 'access';
  /** In words. */
  readonly destination: string;
  /** Lines that have not arrived, so far. */
  readonly linesLost: number;
  /** It takes nothing now: the system's name for the reason. */
  readonly brokenAs?: string | undefined;
}
