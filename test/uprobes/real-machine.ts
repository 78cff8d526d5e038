/** Programs on the real emulator with a probe engine beside them, and a record of all that a program can see of itself. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type MachineHooks, NO_HOOKS } from '../../src/emulator/hooks.js';
import type { ExitStatus, Process } from '../../src/emulator/process.js';
import type { Thread } from '../../src/emulator/thread.js';
import { bindEngine } from '../../src/inferior/probe-engine.js';
import type { PortParts, UprobesPort } from '../../src/inferior/uprobes-port.js';
import { DEFAULT_MACHINE, type MachineOptions } from '../../src/options.js';
import { NO_VARIABLES } from '../../src/rsp/agent-machine.js';
import { createGuestMachine, type GuestMachine } from '../../src/server/guest-machine.js';
import type { EngineOptions } from '../../src/uprobes/core.js';
import type { UprobeEngine } from '../../src/uprobes/engine.js';
import type { Caller, HostThread } from '../../src/uprobes/port.js';

export interface Program {
  readonly guest: GuestMachine;
  readonly process: Process;
  readonly engine: UprobeEngine;
  readonly port: UprobesPort;
  /** Sees everybody. */
  readonly caller: Caller;
  /** What commands of breakpoints have printed. */
  readonly printed: string[];
  /** How it ended. */
  status: ExitStatus | undefined;
  /** Digest of its memory when it ended. */
  memory: string | undefined;
}

/** The end of user space: farther than 2 GiB from a program at 4 MiB. */
const FAR = 0x7fff_ffff_f000;

const SMALL: MachineOptions = { ...DEFAULT_MACHINE, maxMemory: 1 << 27, epoch: 0, network: false, fastSleep: true };

export interface Binding {
  /** `far`: more than 2 GiB from the program. */
  readonly slots?: 'near' | 'far';
  /** The engine's invariants are looked at after every event. */
  readonly checked?: boolean;
}

/** Starts it; nothing has run. */
export function start(
  [path = '', ...args]: readonly string[],
  options: Partial<EngineOptions> = {},
  machine: Partial<MachineOptions> = {},
  { slots = 'near', checked = false }: Binding = {},
): Program {
  const guest = createGuestMachine({ ...SMALL, ...machine });
  const process = guest.starter.start({
    path,
    argv: [path, ...args],
    environment: [],
    directory: undefined,
    randomise: false,
  });
  if ('errno' in process) throw new Error(`${path}: errno ${process.errno}`);
  const parts: PortParts = {
    machine: guest.machine,
    agentMachine: (thread) => ({
      ...NO_VARIABLES,
      readMemory: () => false,
      readRegister: () => undefined,
      print: (text) => program.printed.push(`${thread.tid} ${text}`),
    }),
    isStepping: () => false,
  };
  const { engine, port, hooks } = bindEngine(parts, options);
  if (slots === 'far') {
    const space = port.space(process);
    const mapXol = space.mapXol.bind(space);
    space.mapXol = (where) => mapXol('near' in where ? { near: FAR } : where);
  }
  const caller: Caller = {
    resolve: (pid) => port.processes().find((view) => (view.pid as number) === pid),
    mayProbe: () => true,
    privileged: true,
  };
  const program: Program = { guest, process, engine, port, caller, printed: [], status: undefined, memory: undefined };
  const own: MachineHooks = {
    ...NO_HOOKS,
    breakpoint: (thread) => hooks.breakpoint(thread),
    hook: (thread, hook) => hooks.hook(thread, hook),
    settle: (thread, exit) => hooks.settle(thread, exit),
    fork(parent, child) {
      hooks.forked(parent, child);
      return 'go';
    },
    clone(parent, child) {
      hooks.cloned(parent, child);
      return 'go';
    },
    exec(thread) {
      hooks.execed(thread);
      return 'go';
    },
    threadExit(thread) {
      hooks.threadExited(thread);
      return 'go';
    },
    processExit(ended, status) {
      hooks.processExited(ended);
      if (ended === process) program.status = status;
      return 'go';
    },
    spaceGone(ending) {
      if (ending === process) program.memory = digest(program);
      hooks.spaceGone(ending);
    },
  };
  guest.machine.hooks = checked ? checking(own, engine) : own;
  return program;
}

/** The same hooks, and the engine's invariants behind each. */
function checking(hooks: MachineHooks, engine: UprobeEngine): MachineHooks {
  const checked = Object.entries(hooks).map(([name, hook]) => {
    if (typeof hook !== 'function') return [name, hook];
    const withCheck = (...args: never[]): unknown => {
      const answer = (hook as (...args: never[]) => unknown)(...args);
      engine.checkInvariants();
      return answer;
    };
    return [name, withCheck];
  });
  return Object.fromEntries(checked) as MachineHooks;
}

/** Runs to the end of all processes; sleeps take no time. */
export function finish(
  { guest: { machine } }: Pick<Program, 'guest'>,
  piece = 100_000,
  stopped: (thread: Thread) => void = () => {
    throw new Error('a stop that nobody wants');
  },
): void {
  for (let i = 0; i < 5_000_000; i++) {
    const result = machine.run(piece);
    if (result.kind === 'exited') return;
    if (result.kind === 'stop' && 'thread' in result.event) stopped(result.event.thread);
    if (result.kind === 'idle' && result.deadline !== undefined) machine.clock.jumpTo(result.deadline);
    if (result.kind === 'idle' && result.deadline === undefined) throw new Error('everybody sleeps for ever');
  }
  throw new Error('the program does not end');
}

const GPRS = 16;

/** ip, general registers and flags, as text. */
export function registers(thread: HostThread): string {
  const values = Array.from({ length: GPRS }, (_, i) => thread.readGpr(i).toString(16));
  return `${thread.ip.toString(16)}: ${values.join(' ')} ${thread.readFlags().toString(16)}`;
}

/** Digest of all writable memory. */
function digest(program: Program): string {
  const hash = createHash('sha256');
  const { space } = program.port.process(program.process);
  for (const { start: from, end, writable } of space.vmas()) {
    if (!writable) continue;
    const bytes = new Uint8Array(end - from);
    space.read(from, bytes);
    hash.update(from.toString(16)).update(bytes);
  }
  return hash.digest('hex');
}

/** Of a program whose text is mapped as it lies in the file; `file offset`: address less offset there. */
export function symbolsOf(path: string): ReadonlyMap<string, number> {
  const symbols = new Map<string, number>();
  const table = execFileSync('nm', [path], { encoding: 'utf8' });
  for (const [, address, name] of table.matchAll(/^([0-9a-f]+) \w (\w+)$/gm))
    symbols.set(name as string, Number.parseInt(address as string, 16));
  const headers = execFileSync('readelf', ['-SW', path], { encoding: 'utf8' });
  const text = / \.text\s+PROGBITS\s+(\w+) (\w+)/.exec(headers);
  symbols.set('file offset', Number.parseInt(text?.[1] ?? '', 16) - Number.parseInt(text?.[2] ?? '', 16));
  return symbols;
}
