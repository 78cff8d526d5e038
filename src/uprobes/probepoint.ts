/**
 * One address of one address space where probes are. The engine makes it at the first registration; it outlives the clients' objects, and goes when
 * the last consumer, the last thread inside and the last pending return have let go of it (uprobe_probept of the 2010 design).
 */
import type { AnalyzedInsn } from './arch.js';
import type { InlineHook } from './inline-hook.js';
import type { HostThread } from './port.js';
import { isProbeError, type ProbeError } from './probe-error.js';
import type { ConsumerRecord } from './registration.js';
import type { Tally } from './tally.js';
import type { TaskState } from './task.js';
import type { UProc } from './uproc.js';
import type { XolSlot } from './xol-area.js';

/**
 * - deferred: it has consumers, but no thread that they want, or all of them have lost interest in this process
 * - set: the breakpoint is in place
 * - disabled: no consumers; threads may still be inside. Never used again: a new registration makes a new object
 */
export type ProbepointState = 'deferred' | 'set' | 'disabled';

export class Probepoint {
  state: ProbepointState = 'deferred';
  /** In the order in which a hit runs them. Replaced, never changed: a hit works on the list that it found. */
  consumers: readonly ConsumerRecord[] = [];
  refs = 0;
  /** What it is made of, or why handlers cannot be here (a debugger's breakpoint can). */
  private analyzed!: AnalyzedInsn | ProbeError;
  /** The original bytes, as many as there were, up to the longest instruction. */
  bytes!: Uint8Array;
  /** Those of the instruction. */
  insnBytes!: Uint8Array;
  /** Its boosted copy: pinned as long as the probepoint lives. */
  boosted: XolSlot | undefined;
  /** What translated code does in its place. */
  hook: InlineHook | undefined;
  /** Address of the USDT semaphore. */
  refCounter: number | undefined;
  /** What the semaphore was incremented for this breakpoint. */
  counted = false;

  readonly tally: Tally;
  /** The state of a task whose handlers run here. */
  readonly handling: Extract<TaskState, { name: 'handling' }> = { name: 'handling', probepoint: this };

  constructor(
    readonly uproc: UProc,
    readonly vaddr: number,
    bytes: Uint8Array,
    insn: AnalyzedInsn | ProbeError,
  ) {
    this.setInsn(bytes, insn);
    this.tally = uproc.tally(vaddr, isProbeError(insn) ? insn.reason : insn.text);
  }

  get insn(): AnalyzedInsn | ProbeError {
    return this.analyzed;
  }

  setInsn(bytes: Uint8Array, insn: AnalyzedInsn | ProbeError): void {
    this.bytes = bytes;
    this.analyzed = insn;
    this.insnBytes = isProbeError(insn) ? bytes : bytes.slice(0, insn.length);
  }

  get(): this {
    this.refs++;
    return this;
  }

  put(): void {
    this.refs--;
    if (this.refs < 0) throw new Error(`probepoint 0x${this.vaddr.toString(16)} was let go of too often`);
    if (this.refs === 0) this.uproc.forget(this);
  }

  /** Behind the last of its rank and the lower ones. */
  add(record: ConsumerRecord): void {
    const at = this.consumers.findIndex(({ registration }) => registration.rank > record.registration.rank);
    const list = [...this.consumers];
    list.splice(at < 0 ? list.length : at, 0, record);
    this.consumers = list;
  }

  remove(record: ConsumerRecord): void {
    this.consumers = this.consumers.filter((other) => other !== record);
  }

  /** Is a breakpoint of the debugger's here, for this thread? One that does not stop is passed without a trap, with an int3 of the program below it too. */
  stopsFor(thread: HostThread): boolean {
    return this.consumers.some((record) => record.stops && record.concerns(thread));
  }

  get stops(): boolean {
    return this.consumers.some(({ stops }) => stops);
  }
}
