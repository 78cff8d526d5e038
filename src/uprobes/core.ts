/** The engine's tables, and what all its parts do with them. engine.ts is the way in. */
import { type Arch, METHODS, type Method } from './arch.js';
import { HitClock } from './hit-clock.js';
import { updateHook } from './inline-hook.js';
import type { HostProcess, HostSettings, HostSpace, HostThread } from './port.js';
import { isProbeError } from './probe-error.js';
import { Probepoint } from './probepoint.js';
import { type ConsumerRecord, probeOf, type Registration } from './registration.js';
import { countDown, countUp } from './semaphore.js';
import { noStatistics } from './statistics.js';
import { UTask } from './task.js';
import type { FileProbe, Uprobe } from './uprobe.js';
import { UProc } from './uproc.js';

export interface EngineOptions {
  /** Ways to execute originals that may be used; `inline` always may. */
  readonly methods: ReadonlySet<Method>;
  /** Refuse what Linux refuses although it would work. */
  readonly strict: boolean;
  /** In one address space. */
  readonly maxProbepoints: number;
  /** At one probepoint. */
  readonly maxConsumers: number;
  /** Calls of probed functions in one thread whose returns are followed (MAX_URETPROBE_DEPTH). */
  readonly maxReturns: number;
  /** XOL slots in an area; a page holds fewer at most. */
  readonly slots: number;
  /** When the program rewrites a probed instruction: probe the new one, or give up. */
  readonly onRewrite: 'follow' | 'disable';
}

export const DEFAULT_OPTIONS: EngineOptions = {
  methods: new Set(METHODS),
  strict: false,
  maxProbepoints: 65_536,
  maxConsumers: 256,
  maxReturns: 64,
  slots: Number.POSITIVE_INFINITY,
  onRewrite: 'follow',
};

export class Core {
  readonly uprocs = new Map<HostSpace, UProc>();
  readonly tasks = new Map<HostThread, UTask>();
  private latest: UTask | undefined;
  /** By the client's object; it does not keep the object alive. */
  readonly registrations = new WeakMap<Uprobe | FileProbe, Registration>();
  /** Of file probes: looked at for every new mapping. */
  readonly fileProbes = new Set<Registration>();
  /** Breakpoints at addresses where nothing is mapped. */
  readonly waiting = new Set<Registration>();
  readonly statistics = noStatistics();
  /** Probepoints with an inline hook in place. */
  readonly hooks = new Set<Probepoint>();
  /** The host can execute an original itself: the present hit came from its inline hook. */
  hooked = false;
  readonly clock: HitClock;
  /** Whose synchronous handler is on the stack. */
  handling: UTask | undefined;

  constructor(
    readonly host: HostSettings,
    readonly arch: Arch,
    readonly options: EngineOptions,
  ) {
    this.clock = new HitClock(host.clock);
  }

  uproc(space: HostSpace): UProc {
    let found = this.uprocs.get(space);
    if (found === undefined) {
      found = new UProc(space, this.arch, this.options.slots);
      this.uprocs.set(space, found);
    }
    return found;
  }

  /** Asked at every hit, mostly of the same thread. */
  task(thread: HostThread): UTask {
    if (this.latest?.thread === thread && !this.latest.dead) return this.latest;
    let found = this.tasks.get(thread);
    if (found === undefined) {
      found = new UTask(thread);
      this.tasks.set(thread, found);
    }
    this.latest = found;
    return found;
  }

  *tasksIn(space: HostSpace): Iterable<UTask> {
    for (const task of this.tasks.values()) if (task.thread.process.space === space) yield task;
  }

  *processesIn(space: HostSpace): Iterable<HostProcess> {
    for (const process of this.host.processes()) if (process.alive && process.space === space) yield process;
  }

  // ---- probepoints

  /** The bytes of the instruction at an address, as many as are mapped. */
  readInsn(space: HostSpace, address: number): Uint8Array {
    const bytes = new Uint8Array(this.arch.maxInsnLength);
    return bytes.subarray(0, space.read(address, bytes));
  }

  analyze(uproc: UProc, address: number, bytes: Uint8Array): Probepoint['insn'] {
    const { arch, options } = this;
    return uproc.analysis(address, bytes, () => arch.analyze(bytes, address, { strict: options.strict }));
  }

  /** A new probepoint without consumers: it has one reference, which goes when its last consumer goes. */
  newProbepoint(uproc: UProc, address: number, bytes: Uint8Array): Probepoint {
    const probepoint = new Probepoint(uproc, address, bytes, this.analyze(uproc, address, bytes));
    uproc.probepoints.set(address, probepoint.get());
    return probepoint;
  }

  /** Sets or withdraws the breakpoint, as the consumers want it. False: it cannot be set. */
  update(probepoint: Probepoint): boolean {
    if (probepoint.state === 'disabled') return true;
    const needed = probepoint.consumers.some((record) => record.needed);
    if (needed && probepoint.state === 'deferred') return this.insert(probepoint);
    if (needed) updateHook(this, probepoint);
    else this.withdraw(probepoint);
    return true;
  }

  private insert(probepoint: Probepoint): boolean {
    probepoint.state = 'set';
    if (!probepoint.uproc.sync(probepoint.vaddr)) {
      probepoint.state = 'deferred';
      return false;
    }
    updateHook(this, probepoint);
    countUp(probepoint);
    return true;
  }

  /** May the host's translated code execute the original in its place? */
  canHook({ insn }: Probepoint): boolean {
    return !isProbeError(insn) && insn.methods.has('hook') && this.options.methods.has('hook');
  }

  /** Takes the breakpoint out; consumers stay. Threads with an unfinished hit execute the original in place. */
  withdraw(probepoint: Probepoint): void {
    if (probepoint.state !== 'set') return;
    probepoint.state = 'deferred';
    probepoint.uproc.sync(probepoint.vaddr);
    updateHook(this, probepoint);
    countDown(probepoint);
    this.dropMarks(probepoint);
  }

  /** Its page is gone, and the breakpoint with it; `whole`: all of the address space. */
  lose(probepoint: Probepoint, whole: boolean): void {
    probepoint.uproc.lose(probepoint.vaddr);
    updateHook(this, probepoint);
    if (whole) probepoint.counted = false;
  }

  /** The semaphore of a probepoint that has none yet. */
  setRefCounter(probepoint: Probepoint, address: number): void {
    probepoint.refCounter = address;
    if (probepoint.state === 'set') countUp(probepoint);
  }

  private dropMarks(probepoint: Probepoint): void {
    for (const task of this.tasks.values()) {
      task.dropMarks((mark) => mark.probepoint === probepoint);
      if (task.state.name === 'running' && task.marks.length === 0) task.runDeferred();
    }
  }

  addConsumer(record: ConsumerRecord): void {
    record.probepoint.add(record);
    record.registration.records.add(record);
  }

  /** The last consumer takes the probepoint out of the table; threads inside keep the object. */
  removeConsumer(record: ConsumerRecord): void {
    const { probepoint, registration } = record;
    registration.records.delete(record);
    probepoint.remove(record);
    if (probepoint.state === 'disabled') return;
    if (probepoint.consumers.length > 0) this.update(probepoint);
    else this.disable(probepoint);
  }

  /** For good. `probepoint` has no consumers, or its page is gone. */
  disable(probepoint: Probepoint): void {
    const { uproc, vaddr } = probepoint;
    this.withdraw(probepoint);
    this.dropMarks(probepoint);
    probepoint.state = 'disabled';
    uproc.uncounted.delete(probepoint);
    if (uproc.probepoints.get(vaddr) === probepoint) uproc.probepoints.delete(vaddr);
    uproc.lingering.add(probepoint);
    probepoint.put();
  }

  /** Nothing of the client's is touched from now on; its places are cleared by the caller. */
  forgetClient(registration: Registration): void {
    const probe = probeOf(registration.action);
    registration.action = undefined;
    if (probe !== undefined) this.registrations.delete(probe);
    this.fileProbes.delete(registration);
    this.waiting.delete(registration);
    if (registration.inflight === 0) for (const tell of registration.drained.splice(0)) tell();
  }
}
