/**
 * What the engine remembers of a client's probe, and the places where it is in force: a probe of a process has one, more when forked children want
 * it too; a file probe has one for each mapping.
 */
import type { AgentProgram } from '../agent-expression/program.js';
import type { Caller, HostProcess, HostThread } from './port.js';
import type { Probepoint } from './probepoint.js';
import type { FileProbe, Uprobe } from './uprobe.js';

/** What a hit does for the client. */
export type ProbeAction =
  | {
      readonly kind: 'collect';
      readonly unless: AgentProgram | undefined;
      collect(thread: HostThread): 'continue' | 'stop';
    }
  | { readonly kind: 'uprobe'; readonly probe: Uprobe }
  | { readonly kind: 'file'; readonly probe: FileProbe }
  | {
      readonly kind: 'commands';
      readonly conditions: readonly AgentProgram[];
      readonly commands: readonly AgentProgram[];
    }
  | { readonly kind: 'stop'; readonly conditions: readonly AgentProgram[] };

/** Order in a hit: one that both traces and stops has its record before the stop is reported. Within a rank: order of registration. */
const RANK: Record<ProbeAction['kind'], number> = { collect: 0, uprobe: 1, file: 1, commands: 2, stop: 3 };

export interface WaitingPlace {
  readonly process: HostProcess;
  readonly address: number;
}

/** From register to unregister; the client's object is in it only as long. */
export class Registration {
  /** undefined: unregistered. Nothing of the client's may be touched any more. */
  action: ProbeAction | undefined;
  readonly rank: number;
  /** A debugger's breakpoint, with or without commands. */
  readonly stops: boolean;
  readonly records = new Set<ConsumerRecord>();
  /** Handler calls that have not returned or resolved. */
  inflight = 0;
  /** A breakpoint that may wait until its address is mapped. */
  waitsAt: WaitingPlace | undefined;
  /** Whom to tell when none is left. */
  readonly drained: (() => void)[] = [];
  /** What the filter said, so that it is asked once for each thread. */
  private wanted = new WeakMap<HostThread, boolean>();

  constructor(
    action: ProbeAction,
    readonly caller: Caller | undefined,
  ) {
    this.action = action;
    this.rank = RANK[action.kind];
    this.stops = action.kind === 'stop' || action.kind === 'commands';
  }

  get hasFilter(): boolean {
    const probe = probeOf(this.action);
    return probe?.wantsProbe !== undefined;
  }

  /** Is this thread of interest, as far as the filter goes? */
  wants(thread: HostThread): boolean {
    const probe = probeOf(this.action);
    if (probe?.wantsProbe === undefined) return this.action !== undefined;
    const known = this.wanted.get(thread);
    if (known !== undefined) return known;
    const answer = probe.wantsProbe(thread);
    this.wanted.set(thread, answer);
    return answer;
  }

  /** The filter may answer differently now. */
  forgetAnswers(): void {
    this.wanted = new WeakMap();
  }

  enter(): void {
    this.inflight++;
  }

  leave(): void {
    if (--this.inflight < 0) throw new Error('more handler calls have ended than began');
    if (this.inflight > 0 || this.drained.length === 0) return;
    for (const tell of this.drained.splice(0)) tell();
  }
}

export function probeOf(action: ProbeAction | undefined): Uprobe | FileProbe | undefined {
  return action?.kind === 'uprobe' || action?.kind === 'file' ? action.probe : undefined;
}

/** One registration at one probepoint (Linux: uprobe_consumer). Lives in the probepoint's list. */
export class ConsumerRecord {
  constructor(
    readonly registration: Registration,
    readonly probepoint: Probepoint,
    /** The process for which it is there. */
    readonly process: HostProcess,
  ) {}

  get alive(): boolean {
    return this.registration.action !== undefined;
  }

  get stops(): boolean {
    return this.alive && this.registration.stops;
  }

  /** Shall a hit of this thread reach it? A probe of a process leaves a vfork child alone, which shares the address space, unless its filter wants it. */
  concerns(thread: HostThread): boolean {
    const { registration } = this;
    const { action } = registration;
    // Hot: nearly every probe is of its process alone.
    if (action?.kind === 'uprobe' && action.probe.wantsProbe === undefined) return thread.process === this.process;
    const mine = registration.action?.kind === 'file' || registration.hasFilter || thread.process === this.process;
    return mine && registration.wants(thread);
  }

  /** Is there any thread for which the breakpoint has to be in place? */
  get needed(): boolean {
    const { registration } = this;
    if (!registration.hasFilter) return this.alive;
    for (const thread of this.process.threads()) if (registration.wants(thread)) return true;
    return false;
  }
}
