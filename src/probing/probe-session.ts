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
import type { BackingFile } from '../emulator/memory/backing-file.js';
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
import { hex } from '../types.js';
import type { EngineOptions } from '../uprobes/core.js';
import type { Caller, HostThread } from '../uprobes/port.js';
import { isProbeError, type ProbeError, probeError } from '../uprobes/probe-error.js';
import type { EngineReport } from '../uprobes/statistics.js';
import type { FileProbe, HandlerResult, Hit, ProbeHandlers, Uprobe } from '../uprobes/uprobe.js';
import { returnValue } from './arguments.js';
import { conditionProgram } from './condition-program.js';
import { type EventSpec, parseEventSpec } from './event-spec.js';
import { EventTracer, type SeeEvent } from './event-tracer.js';
import type { Expression } from './expression.js';
import { fileReader, ModuleMap } from './module-map.js';
import { isModule, type ProbePlace, parseProbeSpec } from './probe-spec.js';
import { type ProbeOptions, type SessionHandlers, SessionProbe } from './session-probe.js';
import { nameOf, type ProbeSite, sitesOf } from './sites.js';

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

type FilePlace = Exclude<ProbePlace, { kind: 'address' }>;

export class ProbeSession {
  private readonly probes = new Set<SessionProbe>();
  private readonly seenFiles = new Set<string>();
  private readonly modules: ModuleMap;
  private readonly tracer: EventTracer;
  private status: ExitStatus | undefined;
  private stopping = false;
  private held: Thread | undefined;

  private constructor(
    private readonly guest: GuestMachine,
    private readonly bound: BoundEngine,
    private readonly process: Process,
    private readonly drive: Drive,
    private readonly caller: Caller,
  ) {
    this.modules = new ModuleMap(fileReader(guestFiles(guest.machine, '/')));
    this.tracer = new EventTracer({ clock: guest.machine.clock, engine: bound.engine, modules: this.modules });
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
    const session = new ProbeSession(guest, bound, process, drive, everybody(bound));
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
    const probe = new SessionProbe(place, this.filtered(handlers, options), (which, sync) => this.drop(which, sync));
    const error = this.put(probe, place, options);
    if (error !== undefined) void this.drop(probe, false);
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
          for (const { pages } of space.vmas.meeting(from, to)) this.sawFile(pages?.file);
        }
        inner.mapped(space, from, to);
      },
    };
  }

  private sawFile(file: BackingFile | undefined): void {
    if (file === undefined || this.seenFiles.has(file.key)) return;
    this.seenFiles.add(file.key);
    for (const probe of this.probes) if (probe.place.kind !== 'address') this.look(probe, probe.place, file);
  }

  private mappedFiles(): Iterable<BackingFile> {
    const files = new Map<string, BackingFile>();
    for (const { space } of this.guest.machine.processes.values()) {
      if (!(space instanceof AddressSpace)) continue;
      for (const { pages } of space.vmas.all()) if (pages?.file !== undefined) files.set(pages.file.key, pages.file);
    }
    for (const key of files.keys()) this.seenFiles.add(key);
    return files.values();
  }

  // ---- places

  private put(probe: SessionProbe, place: ProbePlace, { follow }: ProbeOptions): ProbeError | undefined {
    if (place.kind === 'address') return this.atAddress(probe, place.address);
    this.probes.add(probe);
    for (const file of this.mappedFiles()) this.look(probe, place, file);
    // The program is mapped: what it does not have now it will not have, unless it is a child that execs.
    const isOwn = place.kind !== 'usdt' && place.module === undefined && follow !== true;
    if (!isOwn || probe.sites.size > 0 || probe.refusals.length > 0) return undefined;
    const why = probe.missing.get(this.program) ?? 'it is not mapped';
    return probeError('EINVAL', `${why}${this.elsewhere(place)}`);
  }

  /** A library's function asked for without the library's name. */
  private elsewhere(place: FilePlace): string {
    if (place.kind !== 'symbol' || place.offset !== 0 || place.symbol.includes('.')) return '';
    return `; of a library: LIBRARY:${place.symbol}, such as libc:${place.symbol}, or *:${place.symbol} for any`;
  }

  private atAddress(probe: SessionProbe, vaddr: number): ProbeError | undefined {
    const site: ProbeSite = {
      file: '',
      offset: 0,
      address: undefined,
      name: hex(vaddr),
      operands: undefined,
      semaphore: undefined,
      isResolver: false,
    };
    const uprobe: Uprobe = {
      pid: this.process.pid,
      vaddr,
      ...bindSite(probe, site),
      registrationCallback: refusedLater(probe, site),
    };
    const error = this.bound.engine.register(this.caller, uprobe);
    if (error !== undefined && error.name !== 'EINPROGRESS') return error;
    probe.sites.add(site);
    probe.registered.add(uprobe);
    return undefined;
  }

  private look(probe: SessionProbe, place: FilePlace, file: BackingFile): void {
    if (!this.concerns(place, file)) return;
    const sites = sitesOf(place, this.modules.module(file));
    if (typeof sites === 'string') probe.missing.set(file.path, sites);
    else for (const site of sites) this.atSite(probe, file, site);
  }

  private concerns({ kind, module }: FilePlace, { path }: BackingFile): boolean {
    if (module !== undefined) return isModule(path, module);
    return kind === 'usdt' || path === this.process.image.exe;
  }

  private atSite(probe: SessionProbe, file: BackingFile, site: ProbeSite): void {
    const handlers = site.isResolver ? this.atResolver(probe) : bindSite(probe, site);
    const fileProbe: FileProbe = {
      file: { dev: file.device, ino: file.inode },
      offset: site.offset,
      fileSize: file.size(),
      ...(site.semaphore === undefined ? {} : { refCounterOffset: site.semaphore }),
      ...handlers,
      registrationCallback: refusedLater(probe, site),
    };
    const error = this.bound.engine.registerFile(this.caller, fileProbe);
    if (error !== undefined && error.name !== 'EINPROGRESS') {
      probe.refusals.push({ site, error });
      return;
    }
    if (!site.isResolver) probe.sites.add(site);
    probe.registered.add(fileProbe);
  }

  /** The function is chosen when the program is loaded: what the choice returns is probed. */
  private atResolver(probe: SessionProbe): ProbeHandlers {
    return {
      retHandler: (hit) => {
        const { space } = this.bound.port.processes().find(({ pid }) => pid === hit.thread.process.pid) ?? {};
        const address = Number(returnValue(hit));
        const vma = space?.own.vmas.find(address);
        const file = vma?.pages?.file;
        if (vma === undefined || file === undefined) return;
        const offset = address - vma.start + vma.offset;
        if ([...probe.sites].some((site) => site.file === file.path && site.offset === offset)) return;
        const module = this.modules.module(file);
        const linked = module.elf?.addressOf(offset);
        const name = (linked === undefined ? undefined : nameOf(module, linked)) ?? hex(address);
        this.atSite(probe, file, {
          file: file.path,
          offset,
          address: linked,
          name,
          operands: undefined,
          semaphore: undefined,
          isResolver: false,
        });
      },
      wantsProbe: (thread) => probe.handlers.wantsProbe?.(thread) ?? true,
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

  private async drop(probe: SessionProbe, sync: boolean): Promise<void> {
    this.probes.delete(probe);
    const { engine } = this.bound;
    const registered = [...probe.registered];
    probe.registered.clear();
    if (sync) await Promise.all(registered.map((one) => engine.unregisterSync(one)));
    else for (const one of registered) engine.unregister(one);
  }
}

/** A handler has asked for the probe: it follows when the instruction of the handler's hit is over. */
function refusedLater(probe: SessionProbe, site: ProbeSite): NonNullable<ProbeHandlers['registrationCallback']> {
  return (_, outcome) => {
    if (outcome !== undefined) probe.refusals.push({ site, error: outcome });
  };
}

/** The probe's handlers at one of its places. */
function bindSite(probe: SessionProbe, site: ProbeSite): ProbeHandlers {
  const { handlers } = probe;
  const { wantsProbe } = handlers;
  const onEntry = (hit: Hit): HandlerResult | Promise<HandlerResult> => {
    probe.count(site);
    return handlers.handler?.(hit, site) ?? 'continue';
  };
  const onReturn = (hit: Hit): void | Promise<void> => {
    if (handlers.handler === undefined) probe.count(site);
    return handlers.retHandler?.(hit, site);
  };
  const onlyCounts = handlers.handler === undefined && handlers.retHandler === undefined;
  return {
    ...(onlyCounts ? { counter: probe.counterOf(site) } : {}),
    ...(onlyCounts || handlers.when === undefined ? {} : { when: handlers.when }),
    ...(handlers.handler === undefined ? {} : { handler: onEntry }),
    ...(handlers.retHandler === undefined ? {} : { retHandler: onReturn }),
    ...(wantsProbe === undefined ? {} : { wantsProbe: (thread) => wantsProbe(thread) }),
  };
}

/** The session owns its machine: it may probe everything in it. */
function everybody({ port }: BoundEngine): Caller {
  return {
    resolve: (pid) => port.processes().find((process) => (process.pid as number) === pid),
    mayProbe: () => true,
    privileged: true,
  };
}
