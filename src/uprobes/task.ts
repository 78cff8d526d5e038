/**
 * What the engine knows of one thread (struct uprobe_task): where it is in a hit, which hits it has to finish, and which calls of probed functions
 * have yet to return. Made at its first hit, gone with the thread or its image.
 */
import type { DisplacedStep } from './arch.js';
import type { HostThread } from './port.js';
import type { Probepoint } from './probepoint.js';
import type { ConsumerRecord } from './registration.js';
import type { XolSlot } from './xol-area.js';

/**
 * - running: executes the program
 * - handling: handlers run right now, inside the host's call
 * - parked: sleeps in a handler
 * - slotWait: its handlers have run; waits for an XOL slot
 * - sstep: executes the copy in the slot; then sstepAck when it has run, sstepTrapped when it has died trying
 * - inline: executes the original in place, with the breakpoint taken out
 * - boosted: is somewhere behind the entry of a boosted copy; left at the next `settle`
 */
export type TaskState =
  | { readonly name: 'running' }
  | { readonly name: 'handling'; readonly probepoint: Probepoint }
  | { readonly name: 'parked'; readonly probepoint: Probepoint | undefined }
  | { readonly name: 'slotWait'; readonly probepoint: Probepoint }
  | {
      readonly name: 'sstep' | 'sstepAck' | 'sstepTrapped';
      readonly probepoint: Probepoint;
      readonly slot: XolSlot;
      readonly step: DisplacedStep;
    }
  | { readonly name: 'inline'; readonly probepoint: Probepoint }
  | { readonly name: 'boosted'; readonly probepoint: Probepoint; readonly slot: XolSlot };

/** Those in which the copy in the slot is executed. */
export type Stepping = Extract<TaskState, { name: 'sstep' | 'sstepAck' | 'sstepTrapped' }>;

export const RUNNING: TaskState = { name: 'running' };

type StateName = TaskState['name'];

/** Those that may follow each state. */
const FOLLOWS: Record<StateName, ReadonlySet<StateName>> = {
  running: new Set(['handling', 'parked']),
  handling: new Set(['running', 'parked', 'slotWait', 'sstep', 'inline', 'boosted']),
  parked: new Set(['handling', 'running']),
  slotWait: new Set(['running']),
  sstep: new Set(['sstepAck', 'sstepTrapped']),
  sstepAck: new Set(['running']),
  sstepTrapped: new Set(['running']),
  inline: new Set(['running']),
  boosted: new Set(['running']),
};

/**
 * A hit that is not finished: the thread will fetch the breakpoint again, and what has been done must not be done twice.
 * - execute: handlers have run (asleep in one, or while it waited for a slot): only the instruction is left
 * - stop: the same, but the debugger wants to see the thread first
 * - reported: the debugger has seen it
 * - repeat: a REP instruction with iterations left
 * A signal handler may run in between and hit probes itself, the same one included, so these are told apart by the stack pointer.
 */
export interface HitMark {
  readonly probepoint: Probepoint;
  readonly sp: number;
  readonly phase: 'execute' | 'stop' | 'reported' | 'repeat';
  /** Of `repeat`: the counter and pointers that the next iteration must find. */
  readonly counters?: string;
  /** Of `execute` after a wait: the slot that was handed over. */
  readonly slot?: XolSlot;
}

/** One call of a probed function that has not returned (struct return_instance). */
export interface ReturnInstance {
  readonly probepoint: Probepoint;
  /** Who wants to know, and what each has left for its return handler. */
  readonly consumers: readonly { readonly record: ConsumerRecord; readonly cookie: bigint }[];
  /** Stack pointer at the function's entry: where the return address is. */
  readonly sp: number;
  /** The real return address. */
  readonly returnsTo: number;
  /** The return address was the trampoline already: another instance has the same frame (tail call, several probes of one function). */
  readonly chained: boolean;
}

/** Hits that a siglongjmp left for good must not pile up. */
const MAX_MARKS = 32;

export class UTask {
  state: TaskState = RUNNING;
  marks: HitMark[] = [];
  /** Innermost call last. */
  returns: ReturnInstance[] = [];
  /** Registrations that its handlers asked for: done after the instruction. */
  deferred: (() => void)[] = [];
  private steppedFrom: number | undefined;
  /** The thread is gone; whatever resolves later is ignored. */
  dead = false;

  constructor(readonly thread: HostThread) {}

  /** The debugger's step began here, on a probepoint: its stop consumers have been seen. */
  get stepFrom(): number | undefined {
    return this.steppedFrom;
  }

  set stepFrom(address: number | undefined) {
    if (address === this.steppedFrom) return;
    this.steppedFrom = address;
    this.tellUnfinished();
  }

  /** Translated code knows nothing of marks. */
  private tellUnfinished(): void {
    const unfinished = this.marks.length > 0 || this.steppedFrom !== undefined;
    if (unfinished !== this.thread.unfinished) this.thread.unfinished = unfinished;
  }

  /** The one way from state to state. */
  enter(next: TaskState): void {
    const { state } = this;
    // Hot: the two transitions of a hit that an inline hook brings.
    if (next === RUNNING && state.name === 'handling') {
      this.state = next;
      state.probepoint.put();
      return;
    }
    if (state === RUNNING && next.name === 'handling') {
      next.probepoint.get();
      this.state = next;
      return;
    }
    const { name } = state;
    if (!FOLLOWS[name].has(next.name)) throw new Error(`thread ${this.thread.tid}: ${name} cannot become ${next.name}`);
    const held = heldBy(this.state);
    const taken = heldBy(next);
    taken?.get();
    this.state = next;
    held?.put();
  }

  /** The thread is gone, whatever it was doing. */
  abandon(): void {
    const held = heldBy(this.state);
    this.state = RUNNING;
    held?.put();
  }

  /** The instruction of the hit is over, or will not be executed by us: what its handlers wanted to have done afterwards is done. */
  runDeferred(): void {
    if (this.deferred.length === 0) return;
    for (let next = this.deferred.shift(); next !== undefined; next = this.deferred.shift()) next();
  }

  /** Adds a mark, which holds the probepoint. */
  mark(mark: HitMark): void {
    mark.probepoint.get();
    this.marks.push(mark);
    const [oldest] = this.marks;
    if (this.marks.length > MAX_MARKS) this.dropMarks((other) => other === oldest);
    this.tellUnfinished();
  }

  /** The unfinished hit of this probepoint that the thread has come back to; it is forgotten with this call. */
  takeMark(probepoint: Probepoint, counters: () => string): HitMark | undefined {
    if (this.marks.length === 0) return undefined;
    const { sp } = this.thread;
    const at = this.marks.findLastIndex((mark) => mark.probepoint === probepoint && mark.sp === sp);
    const [found] = at < 0 ? [] : this.marks.splice(at, 1);
    if (found === undefined) return undefined;
    this.tellUnfinished();
    found.probepoint.put();
    return found.phase === 'repeat' && found.counters !== counters() ? undefined : found;
  }

  dropMarks(which: (mark: HitMark) => boolean): void {
    if (this.marks.length === 0) return;
    for (const mark of this.marks.filter(which)) {
      this.marks.splice(this.marks.indexOf(mark), 1);
      if (mark.slot !== undefined) mark.probepoint.uproc.release(mark.slot);
      mark.probepoint.put();
    }
    if (!this.dead) this.tellUnfinished();
  }
}

function heldBy(state: TaskState): Probepoint | undefined {
  return state.name === 'running' ? undefined : state.probepoint;
}
