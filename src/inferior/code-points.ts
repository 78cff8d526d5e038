/**
 * Breakpoints on code, Z0 and Z1: both are STOP consumers of the probe engine, which evaluates their conditions and runs their commands beside the
 * program, so a hit that is not to be reported costs no packet. Z1 is allowed where nothing is mapped, as an address in a debug register is.
 */
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import { EFAULT, type Rejected, rejected } from '../rsp/error-code.js';
import type { Breakpoint, BreakpointKind, BreakpointRequest } from '../rsp/target-abilities.js';
import { type Pid, TASK_SIZE } from '../types.js';
import { readMemory } from './debug-space.js';
import type { PlantedProbe, ProbeSites } from './probe-hooks.js';

interface CodePoint {
  readonly request: BreakpointRequest;
  readonly space: number;
  readonly probe: PlantedProbe;
}

export function isCodeKind(kind: BreakpointKind): boolean {
  return kind === 'software' || kind === 'hardware';
}

export class CodePoints {
  private readonly points = new Map<string, CodePoint>();

  constructor(private readonly sites: ProbeSites) {}

  insert(process: Process, request: BreakpointRequest): Rejected | undefined {
    if (request.address >= BigInt(TASK_SIZE)) return rejected(EFAULT, 'no program can have this address');
    this.remove(process, request);
    const { conditions, commands } = request;
    const waits = request.kind === 'hardware';
    const probe = this.sites.plantStop(process, Number(request.address), { conditions, commands, waits });
    if ('errno' in probe) return probe;
    this.points.set(keyOf(request), { request, space: process.space.id, probe });
    return undefined;
  }

  /** One whose memory is gone is forgotten with an error, which clients show as a warning (gdbserver cannot write the old byte back there). */
  remove(process: Process, breakpoint: Breakpoint): Rejected | undefined {
    const key = keyOf(breakpoint);
    const point = this.points.get(key);
    if (point === undefined) return undefined;
    point.probe.withdraw();
    this.points.delete(key);
    const mapped = readMemory(process, breakpoint.address, new Uint8Array(1)) === 1;
    return breakpoint.kind === 'hardware' || mapped
      ? undefined
      : rejected(EFAULT, 'the memory of the breakpoint is gone');
  }

  /** All of a process, in whatever address space: after an exec they are in its old one. */
  removeAll(pid: Pid): void {
    this.drop(({ request }) => request.pid === pid);
  }

  /** The client is gone; commands that shall outlive it stay. */
  removeAllButPersistent(): void {
    this.drop(({ request }) => !request.persistent || request.commands.length === 0);
  }

  /** A fork child starts with what its parent has (gdbserver's clone_all_breakpoints): its client removes what it does not want. */
  copy(parent: Process, child: Process): void {
    for (const { request } of [...this.points.values()]) {
      if (request.pid === parent.pid) this.insert(child, { ...request, pid: child.pid });
    }
  }

  /** The address space is gone, and its probes with it. */
  forgetSpace(id: number): void {
    for (const [key, { space }] of this.points) if (space === id) this.points.delete(key);
  }

  /** Was it a hardware breakpoint alone that has just stopped the thread? */
  isHardware({ process, cpu }: Thread): boolean {
    const at = { pid: process.pid, address: BigInt(cpu.rip) };
    return !this.points.has(keyOf({ ...at, kind: 'software' })) && this.points.has(keyOf({ ...at, kind: 'hardware' }));
  }

  private drop(doomed: (point: CodePoint) => boolean): void {
    for (const [key, point] of this.points) {
      if (!doomed(point)) continue;
      point.probe.withdraw();
      this.points.delete(key);
    }
  }
}

function keyOf({ kind, pid, address }: Pick<Breakpoint, 'kind' | 'pid' | 'address'>): string {
  return `${kind} ${pid} ${address}`;
}
