/** Watchpoints, Z2, Z3 and Z4: any number, any length. The address space sees the accesses; which watchpoint they hit is decided here. */
import { type AgentMachine, evaluate, evaluateConditions } from '../agent-expression/evaluate.js';
import type { WatchHit } from '../emulator/executor.js';
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import { EFAULT, type Rejected, rejected } from '../rsp/error-code.js';
import type { Breakpoint, BreakpointKind, BreakpointRequest } from '../rsp/target-abilities.js';
import { type Pid, TASK_SIZE } from '../types.js';
import { debugSpace } from './debug-space.js';

export type WatchKind = Extract<BreakpointKind, 'write' | 'read' | 'access'>;

/** What a hit says to the client. */
export interface WatchReport {
  readonly access: WatchKind;
  readonly address: bigint;
}

export interface WatchPointHost {
  agentMachine(thread: Thread): AgentMachine;
  process(pid: Pid): Process | undefined;
  /** A system call has accessed watched bytes. */
  watchedInSyscall(hits: readonly WatchHit[]): void;
}

export class WatchPoints {
  private readonly requests: BreakpointRequest[] = [];
  private readonly reports = new WeakMap<Thread, WatchReport>();

  constructor(private readonly host: WatchPointHost) {}

  insert(process: Process, request: BreakpointRequest): Rejected | undefined {
    const end = request.address + BigInt(request.length);
    if (request.length === 0 || end > BigInt(TASK_SIZE)) return rejected(EFAULT, 'no program has these addresses');
    const old = this.requests.findIndex((other) => isSame(other, request));
    if (old < 0) this.requests.push(request);
    else this.requests[old] = request;
    this.update(process);
    return undefined;
  }

  remove(process: Process, breakpoint: Breakpoint): void {
    this.keep((request) => !isSame(request, breakpoint));
    this.update(process);
  }

  removeAll(process: Process): void {
    this.keep(({ pid }) => pid !== process.pid);
    this.update(process);
  }

  /** The old address space is gone, or the process is. */
  forget({ pid }: Process): void {
    this.keep((request) => request.pid !== pid);
  }

  copy(parent: Process, child: Process): void {
    const own = this.requests.filter(({ pid }) => pid === parent.pid);
    for (const request of own) this.requests.push({ ...request, pid: child.pid });
    if (own.length > 0) this.update(child);
  }

  /** Does one of the watchpoints that saw these accesses want to stop? `reportOf` then says which. */
  sees(thread: Thread, hits: readonly WatchHit[]): boolean {
    const report = this.find(thread, hits);
    if (report !== undefined) this.reports.set(thread, report);
    return report !== undefined;
  }

  /** Of the thread's latest stop. */
  reportOf(thread: Thread): WatchReport | undefined {
    return this.reports.get(thread);
  }

  private find(thread: Thread, hits: readonly WatchHit[]): WatchReport | undefined {
    for (const hit of hits) {
      for (const request of this.requests) {
        if (request.pid !== thread.process.pid || !overlaps(request, hit)) continue;
        if (this.stops(thread, request)) return { access: request.kind as WatchKind, address: addressOf(request, hit) };
      }
    }
    return undefined;
  }

  private stops(thread: Thread, { conditions, commands }: BreakpointRequest): boolean {
    const machine = this.host.agentMachine(thread);
    if (!evaluateConditions(conditions, machine).stop) return false;
    for (const command of commands) evaluate(command, machine);
    return commands.length === 0;
  }

  private keep(wanted: (request: BreakpointRequest) => boolean): void {
    this.requests.splice(0, this.requests.length, ...this.requests.filter(wanted));
  }

  /** The whole set of those who share the address space: it takes one set at a time. */
  private update(process: Process): void {
    const { space } = process;
    const own = this.requests.filter(({ pid }) => this.host.process(pid)?.space === space);
    const target = debugSpace(process);
    target.watch(
      own.map(({ kind, address, length }) => {
        const from = Number(address);
        return { from, to: from + length, read: kind !== 'write', write: kind !== 'read' };
      }),
    );
    target.onWatched = own.length === 0 ? undefined : (hits) => this.host.watchedInSyscall(hits);
  }
}

function isSame(request: BreakpointRequest, { kind, pid, address, length }: Breakpoint): boolean {
  return request.kind === kind && request.pid === pid && request.address === address && request.length === length;
}

function overlaps({ kind, address, length }: BreakpointRequest, hit: WatchHit): boolean {
  if (kind !== 'access' && kind !== hit.access) return false;
  const from = Number(address);
  return hit.address < from + length && hit.address + hit.length > from;
}

/** Inside the watched range, where the client looks for its watchpoint. */
function addressOf({ address }: BreakpointRequest, hit: WatchHit): bigint {
  const first = BigInt(hit.address);
  return first > address ? first : address;
}
