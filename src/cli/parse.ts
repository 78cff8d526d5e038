/**
 * The command line → what is to be done. gdbserver's syntax: options, COMM, options again, then the program, whose arguments are its own. The one
 * thing that commander cannot parse is `--wrapper WORD... --`: it is taken out first.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../log.js';
import {
  CPU_MODELS,
  DEFAULT_MACHINE,
  type GdbOptions,
  type MachineOptions,
  type ProbeOptions,
  type RunOptions,
  type ServeOptions,
  TIERS,
} from '../options.js';
import { parseCommAddress } from '../rsp/comm-address.js';
import { type DisablablePacket, parseDisabledPackets } from '../rsp/session-types.js';
import { DISABLABLE_TEXT, HELP_AFTER, versionText } from './texts.js';

export type Request =
  | { readonly kind: 'run'; readonly options: RunOptions; readonly log: LogOptions }
  | { readonly kind: 'probe'; readonly options: ProbeOptions; readonly log: LogOptions }
  | { readonly kind: 'gdb'; readonly options: GdbOptions; readonly log: LogOptions }
  /** The server's end of the pipe of a gdb that `gdb` has started. */
  | { readonly kind: 'gdb-pipe' }
  | { readonly kind: 'serve'; readonly options: ServeOptions; readonly log: LogOptions }
  /** Text for stdout (exit 0) or stderr (exit 1). */
  | { readonly kind: 'text'; readonly text: string; readonly status: 0 | 1 };

/** Behind `sidestep gdb`: no word that a user types. */
export const PIPE_END = '--pipe-end';

export interface LogOptions {
  readonly level: LogLevel;
  readonly file: string | undefined;
}

/** What commander collects; names follow from the options' long forms. */
interface Parsed {
  tier: MachineOptions['tier'];
  cpu: MachineOptions['cpu'];
  seed: number;
  epoch?: number;
  slice: number;
  maxMemory: number;
  maxProcesses: number;
  disableRandomization: boolean;
  root?: string;
  network: boolean;
  fastSleep?: boolean;
  inline: boolean;
  stats?: boolean;
  logLevel: LogLevel;
  logFile?: string;
  once?: boolean;
  multi?: boolean;
  attach?: boolean;
  startupWithShell: boolean;
  allowTakeover?: boolean;
  allowRemote?: boolean;
  iKnowItIsUnauthenticated?: boolean;
  debug?: boolean;
  debugFormat?: boolean;
  remoteDebug?: boolean;
  eventLoopDebug?: boolean;
  disablePacket?: ReadonlySet<DisablablePacket> | 'list';
  selftest?: boolean;
  event?: readonly string[];
  filter?: string;
  follow?: boolean;
  print?: string | true;
  hist?: readonly string[];
  stack?: boolean;
  json?: boolean;
  gdb: string;
  programStatus?: boolean;
  output?: string;
  perfetto?: string;
  perfScript?: string;
  progress: boolean;
}

class Finished extends Error {
  constructor(readonly request: Request) {
    super();
  }
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('It must be a whole number above 0.');
  return value;
}

function seed(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 0xffff_ffff)
    throw new InvalidArgumentError('It must be a whole number below 2^32.');
  return value;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d{1,9})?$/.test(text))
    throw new InvalidArgumentError('It must be seconds since 1970, such as 1767225600.');
  return value;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

function bytes(text: string): number {
  const [, digits, unit] = /^(\d+)([KMG]?)$/i.exec(text) ?? [];
  const value = Number(digits) * (UNITS[(unit ?? '').toUpperCase()] ?? Number.NaN);
  const [least, most] = [64 * 2 ** 20, 3.5 * 2 ** 30];
  if (!(value >= least && value <= most)) throw new InvalidArgumentError('It must be between 64M and 3584M.');
  return value;
}

function debugFormat(text: string): boolean {
  const words = text.split(',');
  if (!words.every((word) => ['all', 'none', 'timestamp', ''].includes(word)))
    throw new InvalidArgumentError('Known are all, none, timestamp.');
  return words.at(-1) !== 'none' && words.at(-1) !== '';
}

function disablePacket(text: string): ReadonlySet<DisablablePacket> {
  const disabled = parseDisabledPackets(text);
  if (disabled === undefined)
    throw new InvalidArgumentError(`Don't know how to disable "${text}".\n\n${DISABLABLE_TEXT}`);
  return disabled;
}

function addMachineOptions(command: Command): Command {
  const { tier, cpu, seed: firstSeed, sliceLength, maxMemory, maxProcesses } = DEFAULT_MACHINE;
  return command
    .addOption(new Option('--tier <TIER>', 'how code is executed').choices(TIERS).default(tier))
    .addOption(
      new Option(
        '--cpu <MODEL>',
        'the processor that the program sees: x86-64-v2 with BMI, AES and SHA, or v3 with AVX2 and FMA',
      )
        .choices(CPU_MODELS)
        .default(cpu),
    )
    .option('--seed <N>', 'start of every random number that the program sees', seed, firstSeed)
    .option('--epoch <SECONDS>', 'the date at the start, since 1970 (default: now)', seconds)
    .option('--slice <N>', "instructions in a thread's turn", count, sliceLength)
    .option('--max-memory <SIZE>', 'memory of all processes together, such as 2G', bytes, maxMemory)
    .option('--max-processes <N>', 'processes and threads at once', count, maxProcesses)
    .option('--root <DIR>', 'confine the program to this tree')
    .option('--no-network', 'no sockets to the outside')
    .option('--fast-sleep', 'sleeping takes no time')
    .option('--no-inline', 'breakpoints and probes leave translated code at every hit: slow, and otherwise the same')
    .option('--disable-randomization', 'fixed addresses for the program', true)
    .option('--no-disable-randomization', 'random addresses, from the seed')
    .option('--stats', 'print counts to stderr at the end')
    .addOption(new Option('--log-level <LEVEL>', 'diagnostics').choices(LOG_LEVELS).default('warn'))
    .option('--log-file <FILE>', 'where diagnostics go instead of stderr');
}

function addServerOptions(command: Command): Command {
  return command
    .option('--once', 'exit after the first connection has closed')
    .option('--multi', 'start without a program, quit only when told to')
    .addOption(
      new Option('--attach', 'attach to a process of the host: refused, sidestep only debugs what it runs').hideHelp(),
    )
    .option('--wrapper <WORDS>', 'run WORDS ... -- to start programs')
    .option('--startup-with-shell', 'start the program by a shell', true)
    .option('--no-startup-with-shell', 'start the program directly')
    .option('--allow-takeover', 'a new client takes the place of the present one')
    .option('--allow-remote', 'listen on an address that is not this machine alone; needs the next option too')
    .option('--i-know-it-is-unauthenticated', 'whoever reaches the port can do what you can')
    .option('--debug', 'general debugging output')
    .option('--debug-format <OPTIONS>', 'extra content in it: all, none, timestamp', debugFormat)
    .option('--remote-debug', 'show packets')
    .option('--event-loop-debug', 'show what the event loop does')
    .option('--disable-packet [PACKETS]', 'hide packets: vCont, T, Tthread, qC, qfThreadInfo, threads', disablePacket)
    .addOption(new Option('--selftest').hideHelp());
}

/** One pass over options, stopping at the first operand: what follows is left in `args`. */
function pass(command: Command, argv: readonly string[]): { parsed: Parsed; rest: readonly string[] } {
  command
    .helpOption('--help', 'show this and exit')
    .allowExcessArguments()
    .argument('[words...]')
    .passThroughOptions()
    .exitOverride()
    .configureOutput({ writeOut: () => undefined, writeErr: () => undefined })
    .action(() => undefined);
  try {
    command.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.help') {
      throw new Finished({ kind: 'text', text: command.helpInformation() + HELP_AFTER, status: 0 });
    }
    if (error.code === 'commander.version') throw new Finished({ kind: 'text', text: versionText(), status: 0 });
    throw failure(error.message.replace(/^error: /, ''));
  }
  return { parsed: command.opts<Parsed>(), rest: command.args };
}

function failure(message: string): Finished {
  return new Finished({ kind: 'text', text: `sidestep: ${message} (see sidestep --help)\n`, status: 1 });
}

function machineOptions(parsed: Parsed): MachineOptions {
  return {
    tier: parsed.tier,
    cpu: parsed.cpu,
    seed: parsed.seed,
    epoch: parsed.epoch,
    sliceLength: parsed.slice,
    maxMemory: parsed.maxMemory,
    maxProcesses: parsed.maxProcesses,
    randomise: !parsed.disableRandomization,
    root: parsed.root,
    network: parsed.network,
    fastSleep: parsed.fastSleep ?? false,
    inlineHooks: parsed.inline,
  };
}

function logOptions({ logLevel, logFile }: Parsed): LogOptions {
  return { level: logLevel, file: logFile };
}

function parseRun(argv: readonly string[]): Request {
  const command = addMachineOptions(new Command('sidestep run')).usage('[OPTIONS] [--] PROG [ARGS...]');
  const { parsed, rest } = pass(command, argv);
  const [program, ...args] = rest;
  if (program === undefined) throw failure('run: no program is named');
  const options = { machine: machineOptions(parsed), program, args, stats: parsed.stats ?? false };
  return { kind: 'run', options, log: logOptions(parsed) };
}

function addProbeOptions(command: Command): Command {
  const another = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];
  return command
    .option(
      '-e, --event <SPEC>',
      '[ret:]PLACE [NAME=ARG[:TYPE]]... [/CONDITION/]; may be given more than once',
      another,
    )
    .option('--count', 'a table of hits: what is shown anyway')
    .option('--hist <EXPR>', 'how the values of an expression are distributed; may be given more than once', another)
    .option('--print [FORMAT]', 'a line for each hit, with {EXPR} for values')
    .option('--stack', 'who calls: stacks by their number of hits')
    .option('--filter <EXPR>', 'only hits for which this is true')
    .option('--follow', 'children, too')
    .option('--json', 'one JSON object instead of a table')
    .option('-o, --output <FILE>', 'table, object and lines into a file instead of stderr')
    .option('--perfetto <FILE>', 'a trace for ui.perfetto.dev (Trace Event Format)')
    .option('--perf-script <FILE>', 'a trace as `perf script` prints it, for flame graphs and the like')
    .option('--no-progress', 'no status line on a terminal during long runs');
}

function parseProbe(argv: readonly string[]): Request {
  const command = addMachineOptions(addProbeOptions(new Command('sidestep probe'))).usage(
    '-e SPEC... [OPTIONS] [--] PROG [ARGS...]',
  );
  const { parsed, rest } = pass(command, argv);
  const [program, ...args] = rest;
  if (program === undefined) throw failure('probe: no program is named: put -- in front of it');
  if (parsed.event === undefined) throw failure('probe: no event is named: -e libc:malloc');
  const options: ProbeOptions = {
    machine: machineOptions(parsed),
    program,
    args,
    events: parsed.event,
    filter: parsed.filter,
    follow: parsed.follow ?? false,
    print: parsed.print ?? false,
    histograms: parsed.hist ?? [],
    stack: parsed.stack ?? false,
    json: parsed.json ?? false,
    output: parsed.output,
    perfetto: parsed.perfetto,
    perfScript: parsed.perfScript,
    progress: parsed.progress,
  };
  return { kind: 'probe', options, log: logOptions(parsed) };
}

function parseGdb(argv: readonly string[]): Request {
  if (argv[0] === PIPE_END) return { kind: 'gdb-pipe' };
  const end = argv.indexOf('--');
  const command = addMachineOptions(new Command('sidestep gdb'))
    .option('--gdb <PROGRAM>', 'the gdb to start', 'gdb')
    .option('--program-status', 'end as the program did: its exit status, 128 + signal (default: as gdb did)')
    .usage('[OPTIONS] [GDB ARGS] -- PROG [ARGS...]')
    .allowUnknownOption();
  const { parsed, rest: gdbArgs } = pass(command, end < 0 ? argv : argv.slice(0, end));
  const [program, ...args] = end < 0 ? [] : argv.slice(end + 1);
  if (program === undefined) throw failure('gdb: no program is named: sidestep gdb -- PROG ARGS');
  const options: GdbOptions = {
    machine: machineOptions(parsed),
    gdb: parsed.gdb,
    gdbArgs,
    program,
    args,
    programStatus: parsed.programStatus ?? false,
    stats: parsed.stats ?? false,
  };
  return { kind: 'gdb', options, log: logOptions(parsed) };
}

/** Takes `--wrapper WORD... --` out of the options in front of the program. */
function takeWrapper(argv: readonly string[]): { wrapper: readonly string[]; rest: readonly string[] } {
  const at = argv.indexOf('--wrapper');
  if (at < 0) return { wrapper: [], rest: argv };
  const end = argv.indexOf('--', at);
  if (end <= at + 1) throw failure('--wrapper needs words and then --');
  return { wrapper: argv.slice(at + 1, end), rest: [...argv.slice(0, at), ...argv.slice(end + 1)] };
}

function serverCommand(): Command {
  return addMachineOptions(
    addServerOptions(new Command('sidestep').version(versionText(), '--version', 'show the version and exit')),
  ).usage(
    '[OPTIONS] COMM PROG [ARGS...]\n       sidestep [OPTIONS] --multi COMM\n       sidestep run [OPTIONS] [--] PROG [ARGS...]\n       sidestep gdb [OPTIONS] [GDB ARGS] -- PROG [ARGS...]\n       sidestep probe -e SPEC... [OPTIONS] [--] PROG [ARGS...]',
  );
}

function parseServe(argv: readonly string[]): Request {
  if (argv.includes('--disable-packet')) return { kind: 'text', text: DISABLABLE_TEXT, status: 0 };
  const { wrapper, rest } = takeWrapper(argv);
  const before = pass(serverCommand(), rest);
  if (before.parsed.selftest)
    return { kind: 'text', text: 'Selftests have been disabled for this build.\n', status: 0 };
  const [comm, ...behind] = before.rest;
  if (comm === undefined) throw new Finished({ kind: 'text', text: serverCommand().helpInformation(), status: 1 });
  // The options behind COMM are read with those in front of it, so that defaults do not win over what was said.
  const said = rest.slice(0, rest.length - before.rest.length);
  const { parsed, rest: words } = pass(serverCommand(), [...said, ...behind]);
  const address = parseCommAddress(comm);
  if ('error' in address) return { kind: 'text', text: `${address.error}\nExiting\n`, status: 1 };
  const [program, ...args] = words;
  if (program === undefined && !parsed.multi)
    throw new Finished({ kind: 'text', text: serverCommand().helpInformation(), status: 1 });
  const options: ServeOptions = {
    machine: machineOptions(parsed),
    address,
    remoteAllowed: (parsed.allowRemote ?? false) && (parsed.iKnowItIsUnauthenticated ?? false),
    once: parsed.once ?? false,
    multi: parsed.multi ?? false,
    takeover: parsed.allowTakeover ?? false,
    program: parsed.attach ? undefined : program,
    args,
    wrapper,
    startWithShell: parsed.startupWithShell,
    disabledPackets: typeof parsed.disablePacket === 'object' ? parsed.disablePacket : new Set(),
    debug: {
      general: parsed.debug ?? false,
      remote: parsed.remoteDebug ?? false,
      eventLoop: parsed.eventLoopDebug ?? false,
      timestamps: parsed.debugFormat ?? false,
    },
    attachPid: parsed.attach ? Number(program) : undefined,
    stats: parsed.stats ?? false,
  };
  return { kind: 'serve', options, log: logOptions(parsed) };
}

/** `argv`: the words behind the command's name. */
export function parseCommandLine(argv: readonly string[]): Request {
  try {
    if (argv[0] === 'run') return parseRun(argv.slice(1));
    if (argv[0] === 'gdb') return parseGdb(argv.slice(1));
    return argv[0] === 'probe' ? parseProbe(argv.slice(1)) : parseServe(argv);
  } catch (error) {
    if (error instanceof Finished) return error.request;
    throw error;
  }
}
