/**
 * Breakpoints on code, Z0 and Z1: both are STOP consumers of the probe engine. Conditions and commands are evaluated here, beside the program, so a
 * hit that is not to be reported costs no packet.
 */
import { type AgentMachine, evaluate, evaluateConditions } from '../agent-expression/evaluate.js';
import type { Process } from '../emulator/process.js';
import type { Thread } from '../emulator/thread.js';
import { log } from '../log.js';
import { EFAULT, type Rejected, rejected } from '../rsp/error-code.js';
import type { Breakpoint, BreakpointKind, BreakpointRequest } from '../rsp/target-abilities.js';
import { type Pid, TASK_SIZE } from '../types.js';

/** A planted probe; lives until it is withdrawn or its address space goes. */
export interface PlantedProbe {
  withdraw(): void;
}

/** Where breakpoints are planted: the probe engine, through uprobes-port.ts. */
export interface ProbeSites {
  /** `hit` runs at each hit, before anything of the instruction is done. */
  plant(process: Process, address: number, hit: (thread: Thread) => 'go' | 'stop'): PlantedProbe | Rejected;
}

export interface CodePointHost {
  readonly sites: ProbeSites;
  agentMachine(thread: Thread): AgentMachine;
  /** The breakpoint that stopped the thread. */
  stopped(thread: Thread, hardware: boolean): void;
}

/** All breakpoints at one address of one address space: after vfork, two processes have theirs there. */
interface Site {
  readonly probe: PlantedProbe;
  readonly requests: BreakpointRequest[];
}

type CodeKind = Extract<BreakpointKind, 'software' | 'hardware'>;

export function isCodeKind(kind: BreakpointKind): kind is CodeKind {
  return kind === 'software' || kind === 'hardware';
}

export class CodePoints {
  /** By id of the address space, then by address. */
  private readonly spaces = new Map<number, Map<number, Site>>();

  constructor(private readonly host: CodePointHost) {}

  insert(process: Process, request: BreakpointRequest): Rejected | undefined {
    if (request.address >= BigInt(TASK_SIZE)) return rejected(EFAULT, 'no program can have this address');
    const sites = this.sitesOf(process);
    const address = Number(request.address);
    const site = sites.get(address);
    if (site === undefined) return this.plant(process, sites, request);
    const old = site.requests.findIndex((other) => isSame(other, request));
    if (old < 0) site.requests.push(request);
    else site.requests[old] = request;
    return undefined;
  }

  private plant(process: Process, sites: Map<number, Site>, request: BreakpointRequest): Rejected | undefined {
    const requests = [request];
    const probe = this.host.sites.plant(process, Number(request.address), (thread) => this.hit(thread, requests));
    if ('errno' in probe) return probe;
    sites.set(Number(request.address), { probe, requests });
    return undefined;
  }

  remove(breakpoint: Breakpoint): void {
    this.drop((request) => isSame(request, breakpoint));
  }

  /** All of a process, in whatever address space: after an exec they are in its old one. */
  removeAll(pid: Pid): void {
    this.drop((request) => request.pid === pid);
  }

  /** The client is gone; commands that shall outlive it stay. */
  removeAllButPersistent(): void {
    this.drop(({ persistent, commands }) => !persistent || commands.length === 0);
  }

  /** A fork child starts with what its parent has (gdbserver's clone_all_breakpoints): its client removes what it does not want. */
  copy(parent: Process, child: Process): void {
    for (const { requests } of [...this.sitesOf(parent).values()]) {
      for (const request of requests.filter(({ pid }) => pid === parent.pid)) {
        this.insert(child, { ...request, pid: child.pid });
      }
    }
  }

  /** The address space is gone, and its probes with it. */
  forgetSpace(id: number): void {
    this.spaces.delete(id);
  }

  private drop(doomed: (request: BreakpointRequest) => boolean): void {
    for (const sites of this.spaces.values()) {
      for (const [address, { probe, requests }] of [...sites]) {
        const kept = requests.filter((request) => !doomed(request));
        requests.splice(0, requests.length, ...kept);
        if (kept.length > 0) continue;
        probe.withdraw();
        sites.delete(address);
      }
    }
  }

  private sitesOf({ space }: Process): Map<number, Site> {
    const known = this.spaces.get(space.id);
    if (known !== undefined) return known;
    const sites = new Map<number, Site>();
    this.spaces.set(space.id, sites);
    return sites;
  }

  /** Runs commands where conditions hold; stops for a breakpoint that has none. */
  private hit(thread: Thread, requests: readonly BreakpointRequest[]): 'go' | 'stop' {
    let stopping: BreakpointRequest | undefined;
    for (const request of requests) {
      if (request.pid !== thread.process.pid || !this.holds(thread, request)) continue;
      if (request.commands.length > 0) this.runCommands(thread, request);
      else if (stopping?.kind !== 'software') stopping = request;
    }
    if (stopping === undefined) return 'go';
    this.host.stopped(thread, stopping.kind === 'hardware');
    return 'stop';
  }

  private holds(thread: Thread, { conditions, address }: BreakpointRequest): boolean {
    if (conditions.length === 0) return true;
    const { stop, error } = evaluateConditions(conditions, this.host.agentMachine(thread));
    if (error !== undefined) log.warn({ address: hexOf(address), error }, 'a condition cannot be evaluated: stopping');
    return stop;
  }

  private runCommands(thread: Thread, { commands, address }: BreakpointRequest): void {
    const machine = this.host.agentMachine(thread);
    for (const command of commands) {
      const result = evaluate(command, machine);
      if (result.kind === 'error') log.warn({ address: hexOf(address), error: result.reason }, 'a command failed');
    }
  }
}

function isSame(
  request: BreakpointRequest,
  { kind, pid, address }: { kind: BreakpointKind; pid: Pid; address: bigint },
): boolean {
  return request.kind === kind && request.pid === pid && request.address === address;
}

function hexOf(address: bigint): string {
  return `0x${address.toString(16)}`;
}
