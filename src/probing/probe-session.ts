/**
 * Probing a program from TypeScript: spawn it inside the emulator, say where to look, run it.
 *
 *     const session = ProbeSession.spawn({ argv: ['/bin/ls'] });
 *     const sizes: bigint[] = [];
 *     session.probe('libc:malloc', { handler: (hit) => { sizes.push(argument(hit, 0)); return 'continue'; } });
 *     await session.run();
 */

import { type MachineHooks, NO_HOOKS } from '../emulator/hooks.js';
import { AddressSpace } from '../emulator/memory/address-space.js';
import type { BackingFile } from '../emulator/memory/backing-file.js';
import type { MappingObserver } from '../emulator/memory/machine-memory.js';
import type { ExitStatus, Process } from '../emulator/process.js';
import { type BoundEngine, bindEngine } from '../inferior/probe-engine.js';
import { DEFAULT_MACHINE, type MachineOptions } from '../options.js';
import { GPR } from '../register-set.js';
import { NO_VARIABLES } from '../rsp/agent-machine.js';
import { Drive } from '../server/drive.js';
import { createGuestMachine, type GuestMachine } from '../server/guest-machine.js';
import { findProgram } from '../server/run.js';
import type { EngineOptions } from '../uprobes/core.js';
import type { Caller, HostThread } from '../uprobes/port.js';
import { type ProbeError, probeError } from '../uprobes/probe-error.js';
import type { EngineReport } from '../uprobes/statistics.js';
import type { FileProbe, Hit, ProbeHandlers, Uprobe } from '../uprobes/uprobe.js';
import { usdtProbes } from '../uprobes/usdt.js';
import { elfFunctions } from './elf-symbols.js';
import { isModule, type ProbePlace, parseProbeSpec } from './probe-spec.js';

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
  }
}

export interface ProbeOptions {
  /** Children that the program forks, too. They are the same program until they exec; then the probe looks at what they execute. */
  readonly follow?: boolean;
}

/** One probe of a session, in force where its place is mapped. */
export class SessionProbe {
  /** Files in which its place was found. */
  readonly files = new Set<string>();
  /** Why it is not in force where its place was found, if so. */
  refusal: ProbeError | undefined;

  constructor(
    readonly place: ProbePlace,
    private readonly drop: (sync: boolean) => Promise<void>,
  ) {}

  /** No handler starts any more. */
  remove(): void {
    void this.drop(false);
  }

  /** The same; resolves when none runs. */
  removed(): Promise<void> {
    return this.drop(true);
  }
}

interface Entry {
  readonly probe: SessionProbe;
  readonly handlers: ProbeHandlers;
  readonly registered: (Uprobe | FileProbe)[];
}

export class ProbeSession {
  private readonly entries = new Set<Entry>();
  private readonly seenFiles = new Set<string>();
  private readonly contents = new Map<string, Uint8Array>();
  private status: ExitStatus | undefined;

  private constructor(
    private readonly guest: GuestMachine,
    private readonly bound: BoundEngine,
    private readonly process: Process,
    private readonly drive: Drive,
    private readonly caller: Caller,
  ) {}

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
    if (name === undefined) throw new SpawnError(22, 'no program');
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
      engine,
    );
    const path = search ? findProgram(guest, name) : name;
    const inherited = [...guest.environment].map(([name, value]) => `${name}=${value}`);
    const request = { path, argv, environment: environment ?? inherited, directory, randomise: options.randomise };
    const process = guest.starter.start(request);
    if ('errno' in process) throw new SpawnError(process.errno, process.message ?? `${path} cannot be started`);
    const session = new ProbeSession(guest, bound, process, drive, everybody(bound));
    session.install();
    return session;
  }

  get pid(): number {
    return this.process.pid;
  }

  /**
   * Puts a probe at a place (probe-spec.ts), now and in every file that is mapped later and has it. Throws a TypeError when the text is no place, and
   * what `ProbeError` says when an address is refused at once; a place in a file that is refused is seen in `refusal`.
   */
  probe(spec: string | ProbePlace, handlers: ProbeHandlers, options: ProbeOptions = {}): SessionProbe {
    const place = typeof spec === 'string' ? parseProbeSpec(spec) : spec;
    if (place === undefined) throw new TypeError(`not a place for a probe: ${spec}`);
    const probe = new SessionProbe(place, (sync) => this.drop(entry, sync));
    const entry: Entry = { probe, handlers: this.filtered(handlers, options), registered: [] };
    this.entries.add(entry);
    if (place.kind === 'address') this.atAddress(entry, place.address);
    else for (const file of this.mappedFiles()) this.look(entry, file);
    return probe;
  }

  /** Runs until the program and its children have ended, and says how the program did. */
  async run(): Promise<ExitStatus> {
    const { machine } = this.guest;
    for (;;) {
      const result = this.drive.piece((limit) => machine.run(limit));
      if (result.kind === 'exited') break;
      await this.drive.pause(result.kind === 'idle' ? result : { kind: 'limit' });
    }
    if (this.status === undefined) throw new Error('the machine has ended before its program');
    return this.status;
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
    for (const entry of this.entries) this.look(entry, file);
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

  private atAddress(entry: Entry, vaddr: number): void {
    const uprobe: Uprobe = { pid: this.process.pid, vaddr, ...entry.handlers };
    const error = this.bound.engine.register(this.caller, uprobe);
    entry.probe.refusal = error;
    if (error !== undefined) throw new Error(`${error.name}: ${error.reason}`);
    entry.registered.push(uprobe);
  }

  private look(entry: Entry, file: BackingFile): void {
    const { place } = entry.probe;
    if (place.kind === 'address' || !this.concerns(place, file)) return;
    for (const where of this.offsets(place, file)) this.atOffset(entry, file, where);
  }

  private concerns({ kind, module }: Exclude<ProbePlace, { kind: 'address' }>, { path }: BackingFile): boolean {
    if (module !== undefined) return isModule(path, module);
    return kind === 'usdt' || path === this.process.image.exe;
  }

  private offsets(
    place: Exclude<ProbePlace, { kind: 'address' }>,
    file: BackingFile,
  ): readonly { offset: number; semaphore: number | undefined }[] {
    switch (place.kind) {
      case 'offset':
        return [{ offset: place.offset, semaphore: undefined }];
      case 'symbol': {
        const found = elfFunctions(this.bytesOf(file)).get(place.symbol);
        return found === undefined ? [] : [{ offset: found.offset + place.offset, semaphore: undefined }];
      }
      case 'usdt':
        return usdtProbes(this.bytesOf(file))
          .filter(({ provider, name }) => provider === place.provider && name === place.name)
          .map(({ offset, semaphore }) => ({ offset, semaphore: semaphore?.offset }));
    }
  }

  private bytesOf(file: BackingFile): Uint8Array {
    const known = this.contents.get(file.key);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(file.size());
    const read = Math.max(0, file.pread(bytes, 0));
    const contents = bytes.subarray(0, read);
    this.contents.set(file.key, contents);
    return contents;
  }

  private atOffset(
    entry: Entry,
    file: BackingFile,
    { offset, semaphore }: { readonly offset: number; readonly semaphore: number | undefined },
  ): void {
    const fileProbe: FileProbe = {
      file: { dev: file.device, ino: file.inode },
      offset,
      fileSize: file.size(),
      ...(semaphore === undefined ? {} : { refCounterOffset: semaphore }),
      ...entry.handlers,
    };
    const error = this.bound.engine.registerFile(this.caller, fileProbe);
    if (error !== undefined) {
      entry.probe.refusal = error;
      return;
    }
    entry.probe.files.add(file.path);
    entry.registered.push(fileProbe);
  }

  /** The program alone, unless its children are wanted. */
  private filtered(handlers: ProbeHandlers, { follow = false }: ProbeOptions): ProbeHandlers {
    const own = (thread: HostThread): boolean => follow || thread.process.pid === this.process.pid;
    const wants = handlers.wantsProbe?.bind(handlers) ?? (() => true);
    return {
      ...(handlers.handler === undefined ? {} : { handler: (hit) => handlers.handler?.(hit) ?? 'continue' }),
      ...(handlers.retHandler === undefined ? {} : { retHandler: (hit) => handlers.retHandler?.(hit) }),
      wantsProbe: (thread) => own(thread) && wants(thread),
    };
  }

  private async drop(entry: Entry, sync: boolean): Promise<void> {
    this.entries.delete(entry);
    const { engine } = this.bound;
    const registered = entry.registered.splice(0);
    if (sync) await Promise.all(registered.map((probe) => engine.unregisterSync(probe)));
    else for (const probe of registered) engine.unregister(probe);
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

/** Registers of the first six integer arguments (System V ABI, 3.2.3). */
const ARGUMENTS = [GPR.RDI, GPR.RSI, GPR.RDX, GPR.RCX, GPR.R8, GPR.R9] as const;

/** The n-th integer or pointer argument, from 0, at the first instruction of a function. The seventh and later ones lie on the stack. */
export function argument(hit: Hit, n: number): bigint {
  const register = ARGUMENTS[n];
  if (register !== undefined) return hit.get(register);
  const at = hit.get(GPR.RSP) + 8n * BigInt(n - ARGUMENTS.length + 1);
  const bytes = hit.read(at, 8);
  if (bytes === undefined) throw probeMemory(at);
  return Buffer.from(bytes).readBigUInt64LE();
}

/** What a function returns, in its return handler. */
export function returnValue(hit: Hit): bigint {
  return hit.get(GPR.RAX);
}

/** The bytes before the NUL at an address, at most `limit`; undefined when one of them is not mapped. */
export function stringAt(hit: Hit, address: bigint, limit = 4096): string | undefined {
  const bytes: number[] = [];
  while (bytes.length < limit) {
    const [byte] = hit.read(address + BigInt(bytes.length), 1) ?? [];
    if (byte === undefined) return undefined;
    if (byte === 0) break;
    bytes.push(byte);
  }
  return Buffer.from(bytes).toString();
}

function probeMemory(address: bigint): Error {
  const { name, reason } = probeError('EIO', `nothing is mapped at 0x${address.toString(16)}`);
  return new Error(`${name}: ${reason}`);
}
