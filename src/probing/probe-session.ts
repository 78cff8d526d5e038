/**
 * Probing a program from TypeScript: spawn it inside the emulator, say where to look, run it.
 *
 *     const session = ProbeSession.spawn({ argv: ['/bin/ls'] });
 *     const sizes: bigint[] = [];
 *     session.probe('libc:malloc', { handler: (hit) => { sizes.push(argument(hit, 0)); return 'continue'; } });
 *     await session.run();
 */
import { type MachineHooks, NO_HOOKS, type StopEvent } from '../emulator/hooks.js';
import { AddressSpace } from '../emulator/memory/address-space.js';
import type { MappingObserver } from '../emulator/memory/machine-memory.js';
import type { ExitStatus, Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import { type BoundEngine, bindEngine, engineOptions } from '../inferior/probe-engine.js';
import { DEFAULT_MACHINE, type MachineOptions } from '../options.js';
import { NO_VARIABLES } from '../rsp/agent-machine.js';
import { Drive } from '../server/drive.js';
import { errnoText } from '../server/errno-text.js';
import { createGuestMachine, type GuestMachine } from '../server/guest-machine.js';
import { guestFiles } from '../server/host-io.js';
import { findProgram } from '../server/run.js';
import { forwardSignals } from '../server/terminal-signals.js';
import type { EngineOptions } from '../uprobes/core.js';
import type { Caller, HostThread } from '../uprobes/port.js';
import { isProbeError, type ProbeError, probeError } from '../uprobes/probe-error.js';
import type { EngineReport } from '../uprobes/statistics.js';
import { conditionProgram } from './condition-program.js';
import { type EventSpec, parseEventSpec } from './event-spec.js';
import { EventTracer, type SeeEvent } from './event-tracer.js';
import type { Expression } from './expression.js';
import { fileReader, ModuleMap } from './module-map.js';
import { Placement } from './placement.js';
import { type ProbePlace, parseProbeSpec } from './probe-spec.js';
import { type ProbeOptions, type SessionHandlers, SessionProbe } from './session-probe.js';

export interface SpawnOptions {
  /** The program's path, then its arguments. */
  readonly argv: readonly string[];
  /** A name without a slash is searched in PATH. */
  readonly search?: boolean;
  /** `NAME=VALUE`; the caller's own when absent. */
  readonly environment?: readonly string[];
  /** Absolute; the caller's own when absent. */
  readonly directory?: string;
  readonly machine?: Partial<MachineOptions>;
  readonly engine?: Partial<EngineOptions>;
}

/** The program cannot be started: Linux's errno, positive. */
export class SpawnError extends Error {
  constructor(
    readonly errno: number,
    message: string,
  ) {
    super(message);
    this.name = 'SpawnError';
  }
}

/** A probe is refused; `error` says why as a value. */
export class ProbeFailure extends Error {
  constructor(readonly error: ProbeError) {
    super(`${error.name}: ${error.reason}`);
    this.name = 'ProbeFailure';
  }
}

/** How a run has ended. `stopped`: by `stop()`; the program has not ended. */
export type RunEnd = ExitStatus | { readonly kind: 'stopped' };

/** An event of a session: a probe with the values that its SPEC names. */
export interface SessionTrace {
  readonly spec: EventSpec;
  readonly probe: SessionProbe;
  /** Hits for which the event's condition was true. */
  readonly hits: number;
}

export interface TraceOptions extends ProbeOptions {
  /** That `see` evaluates: of a return, the arguments in them are noted at the call. */
  readonly expressions?: readonly Expression[];
}

export class ProbeSession {
  private readonly placement: Placement;
  private readonly tracer: EventTracer;
  private status: ExitStatus | undefined;
  private stopping = false;
  private held: Thread | undefined;

  private constructor(
    private readonly guest: GuestMachine,
    private readonly bound: BoundEngine,
    private readonly process: Process,
    private readonly drive: Drive,
  ) {
    const { machine } = guest;
    const modules = new ModuleMap(fileReader(guestFiles(machine, '/')));
    this.placement = new Placement({ machine, bound, process, caller: everybody(bound), modules });
    this.tracer = new EventTracer({ clock: machine.clock, engine: bound.engine, modules });
  }

  /** Starts the program; nothing of it has run. Throws SpawnError. */
  static spawn({
    argv,
    search = false,
    environment,
    directory,
    machine = {},
    engine = {},
  }: SpawnOptions): ProbeSession {
    const [name] = argv;
    if (name === undefined) throw new SpawnError(22, 'no program is named');
    const options = { ...DEFAULT_MACHINE, ...machine };
    const guest = createGuestMachine(options);
    const drive = new Drive(guest, options);
    const bound = bindEngine(
      {
        machine: guest.machine,
        agentMachine: (thread) => ({
          ...NO_VARIABLES,
          readMemory: (address, into) => bound.port.space(thread.process).read(Number(address), into) === into.length,
          readRegister: (number) => bound.port.thread(thread).readRegister(number),
          print: () => undefined,
        }),
        isStepping: () => false,
        unparked: () => drive.wake(),
      },
      { ...engineOptions(options), ...engine },
    );
    const path = search ? findProgram(guest, name) : name;
    const inherited = [...guest.environment].map(([name, value]) => `${name}=${value}`);
    const request = { path, argv, environment: environment ?? inherited, directory, randomise: options.randomise };
    const process = guest.starter.start(request);
    if ('errno' in process)
      throw new SpawnError(process.errno, process.message ?? `${path}: ${errnoText(process.errno)}`);
    const session = new ProbeSession(guest, bound, process, drive);
    session.install();
    return session;
  }

  get pid(): number {
    return this.process.pid;
  }

  /** Path of the program that the process runs now. */
  get program(): string {
    return this.process.image.exe;
  }

  /** Instructions retired by all threads, and virtual ns: equal unless everybody slept. */
  get progress(): { readonly retired: number; readonly time: number } {
    const { retired, monotonic } = this.guest.machine.clock;
    return { retired, time: monotonic };
  }

  /**
   * Puts a probe at a place (probe-spec.ts), now and in every file that is mapped later and has it. Throws ProbeFailure when the text is no place, the
   * program has no such place, or an address is refused at once; a place in a library that is refused later is seen in `refusals`.
   */
  probe(spec: string | ProbePlace, handlers: SessionHandlers, options: ProbeOptions = {}): SessionProbe {
    const probe = this.tryProbe(spec, handlers, options);
    if (isProbeError(probe)) throw new ProbeFailure(probe);
    return probe;
  }

  /** The same with the error as a value. */
  tryProbe(
    spec: string | ProbePlace,
    handlers: SessionHandlers,
    options: ProbeOptions = {},
  ): SessionProbe | ProbeError {
    const place = typeof spec === 'string' ? parseProbeSpec(spec) : spec;
    if (typeof place === 'string') return probeError('EINVAL', place);
    const { placement } = this;
    const probe = new SessionProbe(place, this.filtered(handlers, options), (which, sync) =>
      placement.drop(which, sync),
    );
    const error = placement.put(probe, place, options);
    if (error !== undefined) void placement.drop(probe, false);
    return error ?? probe;
  }

  /**
   * Calls `see` at each hit of an event, which is written as for `sidestep probe -e` (event-spec.ts): a place, values to fetch, a condition. The event's
   * values are valid until `see` has returned, or its promise has resolved. Throws ProbeFailure.
   */
  trace(spec: string | EventSpec, see: SeeEvent, options: TraceOptions = {}): SessionTrace {
    const event = typeof spec === 'string' ? parseEventSpec(spec) : spec;
    if (typeof event === 'string') throw new ProbeFailure(probeError('EINVAL', event));
    const traced = { spec: event, hits: 0 };
    const handlers = this.tracer.handlers(
      event,
      (hit) => {
        traced.hits++;
        return see(hit);
      },
      options.expressions?.flatMap(({ sources }) => sources),
    );
    const probe = this.probe(event.place, handlers, options);
    return Object.assign(traced, { probe });
  }

  /**
   * Counts an event's hits and does nothing else. Translated code does it, nanoseconds a hit, but for returns and for conditions that ask for more than
   * registers and memory (condition-program.ts).
   */
  count(spec: string | EventSpec, options: ProbeOptions = {}): SessionTrace {
    const event = typeof spec === 'string' ? parseEventSpec(spec) : spec;
    if (typeof event === 'string') throw new ProbeFailure(probeError('EINVAL', event));
    const when = conditionProgram(event);
    if (event.returns || (event.condition !== undefined && when === undefined))
      return this.trace(event, () => undefined, options);
    const probe = this.probe(event.place, when === undefined ? {} : { when }, options);
    return {
      spec: event,
      probe,
      get hits() {
        return probe.hits;
      },
    };
  }

  /** Runs until the program and its children have ended, or `stop`, and says how the program did. */
  async run(): Promise<RunEnd> {
    const { machine } = this.guest;
    this.stopping = false;
    this.release();
    while (!this.stopping) {
      const result = this.drive.piece((limit) => machine.run(limit));
      if (result.kind === 'exited') break;
      if (result.kind === 'stop') this.stoppedBy(result.event);
      else await this.drive.pause(result.kind === 'idle' ? result : { kind: 'limit' });
    }
    await machine.host.flush();
    if (this.stopping) return { kind: 'stopped' };
    if (this.status === undefined) throw new Error('the machine has ended before its program');
    return this.status;
  }

  /** A handler has said `stop`: its thread stands before the instruction. */
  private stoppedBy(event: StopEvent): void {
    this.stopping = true;
    if ('thread' in event) this.held = event.thread;
  }

  /** The thread that was stopped executes its instruction; its handlers have run. */
  private release(): void {
    const { held } = this;
    if (held === undefined) return;
    this.held = undefined;
    this.bound.hooks.resumed(held, 'step');
    this.guest.machine.scheduler.release(held);
  }

  /** Makes `run` return soon, wherever the program is; a later `run` goes on. */
  stop(): void {
    this.stopping = true;
    this.drive.wake();
  }

  /**
   * Until the function that comes back is called, signals to this Node process go to the program, as a terminal sends them to its foreground job. A
   * second SIGINT, which the program seems to ignore, stops the run.
   */
  forwardSignals(): () => void {
    const off = forwardSignals(this.guest.machine, this.drive, undefined);
    let interrupts = 0;
    const count = (): void => {
      if (++interrupts > 1) this.stop();
    };
    process.on('SIGINT', count);
    return () => {
      process.off('SIGINT', count);
      off();
    };
  }

  /** Hits, methods, probepoints: everything that the engine counts. */
  report(): EngineReport {
    return this.bound.engine.report();
  }

  // ---- binding

  private install(): void {
    const { machine } = this.guest;
    const { hooks } = this.bound;
    const own: MachineHooks = {
      ...NO_HOOKS,
      breakpoint: (thread) => hooks.breakpoint(thread),
      hook: (thread, hook) => hooks.hook(thread, hook),
      settle: (thread, exit) => hooks.settle(thread, exit),
      fork: (parent, child) => {
        hooks.forked(parent, child);
        return 'go';
      },
      clone: (parent, child) => {
        hooks.cloned(parent, child);
        return 'go';
      },
      exec: (thread) => {
        hooks.execed(thread);
        return 'go';
      },
      threadExit: (thread) => {
        hooks.threadExited(thread);
        return 'go';
      },
      processExit: (process, status) => {
        hooks.processExited(process);
        if (process === this.process) this.status = status;
        return 'go';
      },
      spaceGone: (process) => hooks.spaceGone(process),
    };
    machine.hooks = own;
    const { memory } = this.guest;
    memory.observer = this.watching(memory.observer);
  }

  /** New files are looked through before the engine is told of their mapping. */
  private watching(inner: MappingObserver): MappingObserver {
    return {
      ...inner,
      mapped: (space, from, to) => {
        if (space instanceof AddressSpace) {
          for (const { pages } of space.vmas.meeting(from, to)) this.placement.sawFile(pages?.file);
        }
        inner.mapped(space, from, to);
      },
    };
  }

  /** The program alone, unless its children are wanted. */
  private filtered(handlers: SessionHandlers, { follow = false }: ProbeOptions): SessionHandlers {
    const own = (thread: HostThread): boolean => follow || thread.process.pid === this.process.pid;
    const wants = handlers.wantsProbe?.bind(handlers) ?? (() => true);
    return {
      ...(handlers.when === undefined ? {} : { when: handlers.when }),
      ...(handlers.handler === undefined
        ? {}
        : { handler: (hit, site) => handlers.handler?.(hit, site) ?? 'continue' }),
      ...(handlers.retHandler === undefined ? {} : { retHandler: (hit, site) => handlers.retHandler?.(hit, site) }),
      wantsProbe: (thread) => own(thread) && wants(thread),
    };
  }
}

/** The session owns its machine: it may probe everything in it. */
function everybody({ port }: BoundEngine): Caller {
  return {
    resolve: (pid) => port.processes().find((process) => (process.pid as number) === pid),
    mayProbe: () => true,
    privileged: true,
  };
}
