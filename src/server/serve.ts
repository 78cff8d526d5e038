/** `sidestep COMM PROG`: a program, or whatever clients start, under a debugger that connects. */
import { lookup } from 'node:dns/promises';
import { openSync } from 'node:fs';
import { engineOptions, probeEngine } from '../inferior/probe-engine.js';
import { endText, Inferior } from '../inferior.js';
import type { ServeOptions } from '../options.js';
import type { CommAddress } from '../rsp/comm-address.js';
import { isRejected } from '../rsp/error-code.js';
import { ListenError, type Listener, listen, serveStreams } from '../rsp/listener.js';
import type { StopEvent } from '../rsp/stop-event.js';
import { DebugServer } from './debug-server.js';
import { DebugLines } from './diagnostics.js';
import { Drive } from './drive.js';
import { errnoText } from './errno-text.js';
import { createGuestMachine, type GuestMachine } from './guest-machine.js';
import { guestFiles } from './host-io.js';
import { mapsOf, monitorCommands } from './monitor.js';
import { PrintedText } from './printed-text.js';
import { forwardSignals } from './terminal-signals.js';
import { writeAll } from './write-all.js';

const STDOUT = 1;
const STDERR = 2;

type Tell = (line: string) => void;

/** Why the server cannot begin: a line in gdbserver's words. */
class CannotServe extends Error {
  override readonly name = 'CannotServe';
}

type Ended = Extract<StopEvent, { kind: 'exited' | 'killed' }>;

/** What a server that nobody has started by hand does differently. */
export interface ServeSurroundings {
  /** What the program gets as its standard input, output and error. */
  readonly descriptors?: readonly [number, number, number];
  /** Gets the lines that say how things go; those that say why nothing goes are still told. */
  announce?(line: string): void;
  /** The client prints at the same terminal: what it shows is not printed here, too. */
  readonly besideClient?: boolean;
  /** A program that this server has started is over; its children's ends are not told. */
  ended?(event: Ended): void;
}

/** Serves until the server's work is done: the exit status, always gdbserver's. `tell` gets lines for stderr. */
export async function serve(options: ServeOptions, tell: Tell, surroundings: ServeSurroundings = {}): Promise<number> {
  try {
    return await begin(options, tell, surroundings);
  } catch (error) {
    if (!(error instanceof CannotServe || error instanceof ListenError)) throw error;
    tell(error.message);
    tell('Exiting');
    return 1;
  }
}

async function begin(options: ServeOptions, tell: Tell, surroundings: ServeSurroundings): Promise<number> {
  const { attachPid, address } = options;
  if (attachPid !== undefined) {
    throw new CannotServe(
      `Cannot attach to process ${attachPid}: it runs outside, and sidestep debugs what it runs itself`,
    );
  }
  const { announce = tell, ended } = surroundings;
  const guest = createGuestMachine(options.machine, surroundings.descriptors ?? descriptorsFor(address, tell));
  const drive = new Drive(guest, options.machine);
  const printed = new PrintedText((text) => {
    const shown = server.print(text);
    if (!shown || !surroundings.besideClient) writeAll(address.kind === 'stdio' ? STDERR : STDOUT, text);
  });
  guest.machine.host.streams.beforeWrite = () => printed.flush();
  const inferior: Inferior = createInferior(guest, options, announce, (text) => printed.add(text));
  let listener: Listener | undefined;
  const server: DebugServer = new DebugServer(inferior, drive, {
    once: options.once,
    multi: options.multi,
    session: sessionSettings(guest, inferior, options, tell),
    announce,
    beforeReport: () => printed.flush(),
    reopen: () => listener?.announce(),
    ended: (event) => {
      if (event.pid === inferior.started) ended?.(event);
    },
  });
  inferior.onRootSignal = (info) => server.rootSignal(info);
  listener = await openListener(options, server);
  try {
    server.begin(startProgram(inferior, options));
    if (listener === undefined) serveStreams(process.stdin, process.stdout, server);
    else listener.announce();
    const stopForwarding = forwardSignals(guest.machine, drive, () => server.finish(0));
    const status = await server.serve();
    stopForwarding();
    await guest.machine.host.flush();
    if (options.stats) for (const line of [...guest.statistics(), ...inferior.probeReport()]) tell(line);
    return status;
  } finally {
    await listener?.close();
  }
}

/** A connection over stdin and stdout leaves the program neither (gdbserver's linux_ptrace_fun). */
function descriptorsFor({ kind }: CommAddress, tell: Tell): readonly [number, number, number] {
  if (kind !== 'stdio') return [0, STDOUT, STDERR];
  tell('stdin/stdout redirected');
  return [openSync('/dev/null', 'r'), STDERR, STDERR];
}

function createInferior(
  guest: GuestMachine,
  options: ServeOptions,
  announce: Tell,
  print: (text: string) => void,
): Inferior {
  const { machine } = guest;
  return new Inferior({
    machine,
    probes: (agentMachine, isStepping) =>
      probeEngine({ machine, agentMachine, isStepping }, engineOptions(options.machine)),
    starter: guest.starter,
    launch: {
      environment: guest.environment,
      wrapper: options.wrapper,
      withShell: options.startWithShell,
      randomise: options.machine.randomise,
    },
    hostIo: guestFiles(machine, machine.host.inputs.cwd),
    announce,
    print,
  });
}

function sessionSettings(guest: GuestMachine, inferior: Inferior, options: ServeOptions, tell: Tell) {
  const debug = new DebugLines(options.debug, tell);
  return {
    disabled: options.disabledPackets,
    diagnostics: debug,
    trace: (direction: 'in' | 'out', bytes: Uint8Array) => debug.packet(direction, bytes),
    monitor: monitorCommands({
      statistics: () => guest.statistics(),
      probes: () => inferior.probeReport(),
      maps: () => mapsOf(inferior),
    }),
  };
}

/** Bound before the program starts, as gdbserver does it: a taken port must leave no trace of the program. undefined: stdio. */
async function openListener(options: ServeOptions, server: DebugServer): Promise<Listener | undefined> {
  const { address, once, takeover, remoteAllowed } = options;
  if (address.kind === 'stdio') return undefined;
  return listen(await allowedAddress(address, remoteAllowed), server, { once, takeover, silent: true });
}

type ListenAddress = Exclude<CommAddress, { kind: 'stdio' }>;

/** Without a host: this machine only. With one that reaches beyond it: refused, unless that was asked for and confirmed. */
async function allowedAddress(address: ListenAddress, remoteAllowed: boolean): Promise<ListenAddress> {
  if (address.kind !== 'tcp' || remoteAllowed) return address;
  if (address.host === '') return { ...address, host: '127.0.0.1' };
  const found = await lookup(address.host).catch(() => undefined);
  if (found !== undefined && !/^(127\.|::1$|::ffff:127\.)/.test(found.address)) {
    throw new CannotServe(
      `${address.host} can be reached from other machines, and there is no password: --allow-remote --i-know-it-is-unauthenticated`,
    );
  }
  return { ...address, host: found?.address ?? address.host };
}

/** Its first stop; undefined without a program. */
function startProgram(inferior: Inferior, { program, args }: ServeOptions): StopEvent | undefined {
  if (program === undefined) return undefined;
  const first = inferior.start(program, args);
  if ('startupEnd' in first) throw new CannotServe(`During startup program ${endText(first)}.`);
  if (isRejected(first)) throw new CannotServe(first.reason ?? `Cannot exec ${program}: ${errnoText(first.errno)}.`);
  return first;
}
