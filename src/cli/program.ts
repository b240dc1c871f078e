/**
 * The command line: which commands and options there are, and what their help says. No other logic.
 *
 * Place: `bin/lb4.ts` calls `main`; each command is a file of its own. stdout is for data, stderr for messages. A
 * command's own code is imported when it is called: a usage error or --help need not wait for it. The options of `run`
 * are a thin layer over the configuration file (src/config/source/flags.ts validates both alike).
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { optionsFromEnvironment, unknownVariables } from '../config/source/environment.ts';
import type { FlagName } from '../config/source/flags.ts';
import { nearest } from '../config/report/nearest.ts';
import { printable } from '../support/printable.ts';
import { addClientCommands, CLIENT_COMMANDS } from './client/client-commands.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { CheckOptions } from './check.ts';
import type { LoadOptions, OptionSources } from './load-request.ts';
import type { RunOptions } from './run.ts';
import type { Signals } from './signals.ts';
import type { DemoOptions } from './demo.ts';
import { version } from './version.ts';

const COMMANDS = ['run', 'demo', 'check', ...CLIENT_COMMANDS, 'help'];

const EXAMPLES = `
Examples:
  lb4 --backends 10.0.0.1:5432,10.0.0.2:5432
  lb4 -l :6379 -b 10.0.0.1:6379@2,10.0.0.2:6379 -s roundrobin
  lb4 -b unix:/run/app-1.sock,unix:/run/app-2.sock --access-log
  lb4 check -c /etc/lb4.yaml && lb4 -c /etc/lb4.yaml
  lb4 demo

Durations: 250ms, 5s, 10m, 1h.
Every option of run can be set in the environment, too: LB4_HEALTH_INTERVAL is
--health-interval. An empty variable counts as unset.
A flag overrides the environment, which overrides the file, which overrides the
default. -b and -l add up; of any other option the last one counts.

systemd: reports readiness and watchdog, and takes over sockets (LISTEN_FDS).
Signals: SIGHUP reloads the configuration file; SIGTERM and SIGINT drain, and
end lb4 when sent again; SIGQUIT ends it at once; SIGUSR1 opens log files
again, and logs the state of every listener, upstream and backend; SIGUSR2
hands over to the version that is installed now.
Exit codes: 0 done, 1 failure, 2 usage, 69 could not bind, 78 bad configuration.`;

const CHECK_HELP = `
The options of run and their variables count as they do for run:
  lb4 check --show -b 10.0.0.1:80 --idle-timeout 5m
A mistake in an option exits 2.`;

/** Runs a command; resolves with the exit code when it is over. The command defines what signals mean. */
export async function main(args: readonly string[], signals: Signals): Promise<ExitCode> {
  const [first] = args;
  if (first !== undefined && !first.startsWith('-') && !COMMANDS.includes(first)) {
    const meant = nearest(first, COMMANDS);
    const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
    return usage(
      `unknown command '${withoutUrl(first)}': expected ${COMMANDS.slice(0, -1).join(', ')} or an option${hint}`,
    );
  }
  let code: ExitCode = EXIT.ok;
  const program = createProgram(signals, exitCode => (code = exitCode));
  try {
    await program.parseAsync(withoutDefaultCommand(args), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    throw error;
  }
}

/** `lb4 run …` is `lb4 …`, and `lb4 help` is `lb4 --help`. */
function withoutDefaultCommand(args: readonly string[]): readonly string[] {
  if (args[0] === 'run') return args.slice(1);
  return args[0] === 'help' ? ['--help'] : args;
}

function createProgram(signals: Signals, done: (code: ExitCode) => void): Command {
  const program = new Command('lb4')
    .usage(
      '[run] [options]\n       lb4 demo [options]\n       lb4 check [-c FILE] [options]\n       lb4 status | backends | sessions | top [options]\n       lb4 ready | drain | maint | weight | add | remove UPSTREAM BACKEND\n       lb4 reload | upgrade | drain\n       lb4 doctor [-c FILE] [--live]',
    )
    .description(
      'A raw-TCP layer-4 load balancer: it accepts a client, chooses a backend and\njoins the two.',
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES)
    .configureHelp({
      helpWidth: 80,
      optionDescription: ({ description }) => description,
      subcommandTerm: command => command.name(),
    })
    .allowExcessArguments(false)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(onOneLine(text)) });
  const runOptions = createRunOptions();
  for (const each of runOptions) program.addOption(each);
  program.action(async (typed: RunOptions) => {
    const { run } = await import('./run.ts');
    const { options, sources } = withEnvironment(typed, runOptions);
    done(await run(options, { ...sources, signals }));
  });

  program
    .command('demo')
    .description('run three embedded backends, a balancer and the dashboard; prints what\nto try')
    .option('-l, --listen <address>', 'address to accept on (default: 127.0.0.1:8080)', '127.0.0.1:8080')
    .option('-s, --strategy <name>', 'how a backend is chosen (default: leastconn)', 'leastconn')
    .option(
      '--admin <address>',
      'address of the dashboard (default: 127.0.0.1:9090, or a free\nport if that is taken)',
    )
    .action(async (options: DemoOptions) => {
      const { demo } = await import('./demo.ts');
      done(await demo(options, signals));
    });

  const checking = program
    .command('check')
    .description('validate a configuration: exit 0, or 78 with every problem')
    .option('-c, --config <file>', 'the file to check', onlyOne)
    .option('--show', 'print the configuration in effect, and where each value comes from')
    .option(
      '--client <address>',
      'say whether access of each listener lets this client in: an IP\naddress, or unix',
    )
    .addHelpText('after', CHECK_HELP)
    .action(async (typed: CheckOptions) => {
      signals.release();
      const { check } = await import('./check.ts');
      const { options, sources } = withEnvironment(typed, runOptions);
      done(check(options, sources));
    });
  for (const each of createRunOptions()) if (each.name() !== 'config') checking.addOption(each.hideHelp());
  addClientCommands(program, () => signals.release(), done);
  return program;
}

/** What was typed goes before what the environment says. */
function withEnvironment<T extends LoadOptions>(
  typed: T,
  runOptions: readonly Option[],
): { readonly options: T; readonly sources: OptionSources } {
  const names = runOptions.map(each => each.name());
  const found = optionsFromEnvironment(process.env, names);
  const inEnvironment = Object.fromEntries(
    runOptions.flatMap(each =>
      found.has(each.name()) ? [[each.attributeName(), found.get(each.name())]] : [],
    ),
  );
  const isTyped = (flag: FlagName): boolean =>
    Object.hasOwn(typed, flag) || !Object.hasOwn(inEnvironment, flag);
  return {
    options: { ...inEnvironment, ...typed },
    sources: {
      sourceOf: flag => (isTyped(flag) ? 'flag' : 'environment'),
      unknownVariables: used => unknownVariables(process.env, names, used),
    },
  };
}

function createRunOptions(): readonly Option[] {
  const option = (flags: string, description: string): Option => new Option(flags, description);
  return [
    option('-c, --config <file>', 'configuration file, YAML or JSON').argParser(onlyOne),
    option(
      '-b, --backends <list>',
      'host:port, [v6]:port or unix:/path, comma-separated, each with optional @weight; repeatable',
    ).argParser(collect),
    option(
      '-s, --strategy <name>',
      'roundrobin, leastconn (default), iphash, random, p2c, ewma, first, or ./my-strategy.js',
    ),
    option(
      '-l, --listen <address>',
      'address to accept on; :8080 is every local address, :5000-5009 a range of ports; repeatable (default: 127.0.0.1:8080)',
    ).argParser(collect),
    option('--health <type>', 'tcp (default), http:/path, tls, redis, postgres, mysql, smtp, ssh or off'),
    option('--health-interval <duration>', 'time between health checks (default: 2s)'),
    option('--connect-timeout <duration>', 'time for one attempt to reach a backend (default: 5s)'),
    option('--idle-timeout <duration>', 'time after which a session without traffic is reset (default: 1h)'),
    option('--drain-timeout <duration>', 'time that sessions have to end after SIGTERM (default: 30s)'),
    option('--pool-warm <n>', 'spare connections to each backend (default: 0)'),
    option('--accept-proxy <list>', 'networks whose PROXY protocol headers are believed, comma-separated'),
    option(
      '--send-proxy <version>',
      'name clients to backends in a PROXY protocol header: v1, v2 or off (default)',
    ),
    option('--tls-cert <file>', 'clients speak TLS: PEM file with the certificate and its chain'),
    option('--tls-key <file>', 'PEM file with the private key of --tls-cert'),
    option('--max-sessions <n>', 'most sessions at a time; further clients wait'),
    option('--workers <n>', 'threads that take sessions: auto (default, one per core) or 0 to 64'),
    option('--engine <name>', 'auto (default), epoll or node'),
    option(
      '--redis <url>',
      'share counts of sessions through redis://[user:password@]host[:port][/db]; rediss:// for TLS, redis+sentinel://, redis+cluster://',
    ),
    option('--name <name>', 'name of this instance, and of its admin socket (default: default)'),
    option(
      '--admin <address>',
      'admin API at this address too, such as 127.0.0.1:9090; beyond this machine it needs a token',
    ),
    option('--admin-token-file <file>', 'token that clients of --admin have to send'),
    option('--admin-socket <mode>', 'auto (default): a unix socket for lb4 status and others; or off'),
    option('--log-level <level>', 'error, warn, info (default) or debug'),
    option('--log-format <format>', 'text or json (default: text on a terminal, else json)'),
    option('--access-log', 'log one line for each session that has ended'),
    option('--watch', 'reload the configuration file when it, or a list of access, changes'),
    option('--pid-file <file>', 'write the process id to this file while running'),
  ];
}

/** `-b a -b b`, `-b a,b` and LB4_BACKENDS=a,b are the same. */
function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** For most options the last value counts. A file that is ignored silently would be worse than an error. */
function onlyOne(value: string, previous: string | undefined): string {
  if (previous !== undefined) throw new InvalidArgumentError('Only one file can be given.');
  return value;
}

/** Text that is no command may be a URL that lost its option, and may contain a password. */
function withoutUrl(text: string): string {
  return text.replace(/:\/\/.*$/s, '://***');
}

function onOneLine(text: string): string {
  const words = text
    .replace(/^error: /, '')
    // As above: the value of an option that does not exist.
    .replace(/^(unknown option '[^=']*)=.*'/s, "$1'")
    .trim()
    .replaceAll('\n', ' ');
  return `lb4: ${printable(words)}\n`;
}

function usage(text: string): ExitCode {
  process.stderr.write(`lb4: ${printable(text)}\n`);
  return EXIT.usage;
}
