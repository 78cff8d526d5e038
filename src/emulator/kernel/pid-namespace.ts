/**
 * Pid namespaces (kernel/pid_namespace.c, kernel/pid.c). The machine's tables know everybody by the number of the first namespace; a nested one has numbers
 * of its own for its members. System calls translate at their border: what a program says means what it can see.
 */
import type { Pid, Tid } from '../../types.js';
import type { Machine } from '../machine.js';
import type { Process } from '../process.js';
import type { Thread } from '../thread.js';

/** A nested namespace. Plain data. */
export interface PidNamespace {
  /** undefined: the first one. */
  readonly parent: PidNamespace | undefined;
  /** How deep it is nested: 1 below the first. */
  readonly level: number;
  /** From the machine's numbers of threads to its own, and back. */
  readonly numbers: Map<number, number>;
  readonly ids: Map<number, number>;
  /** Numbers given so far. */
  given: number;
  /** Its process 1, by the machine's number; with it the namespace ends. */
  init: Pid | undefined;
  ended: boolean;
}

/** MAX_PID_NS_LEVEL */
const MAX_LEVEL = 32;

/** undefined: nested too deep. */
export function nestedNamespace(parent: PidNamespace | undefined): PidNamespace | undefined {
  const level = (parent?.level ?? 0) + 1;
  if (level > MAX_LEVEL) return undefined;
  return { parent, level, numbers: new Map(), ids: new Map(), given: 0, init: undefined, ended: false };
}

/** From the inside out, without the first. */
function* outwards(namespace: PidNamespace | undefined): Iterable<PidNamespace> {
  for (let one = namespace; one !== undefined; one = one.parent) yield one;
}

/** A new thread gets a number in its namespace and in all around it. */
export function enterNamespace({ pidNamespace }: Process, id: number): void {
  for (const one of outwards(pidNamespace)) {
    const number = ++one.given;
    one.numbers.set(id, number);
    one.ids.set(number, id);
    if (number === 1) one.init = id as Pid;
  }
}

/** The thread is gone. Its number stays as long as a group or session is called by it. */
export function leaveNamespace(machine: Machine, { pidNamespace }: Process, id: number): void {
  if (pidNamespace === undefined || machine.usesPid(id)) return;
  for (const one of outwards(pidNamespace)) {
    one.ids.delete(one.numbers.get(id) ?? 0);
    one.numbers.delete(id);
  }
}

/** The number under which this process sees a thread, process, group or session; 0: it does not. */
export function numberFor({ pidNamespace }: Process, id: number): number {
  return pidNamespace === undefined ? id : (pidNamespace.numbers.get(id) ?? 0);
}

/** What this process means by a number; -1, which is nobody's: nothing that it sees. */
export function idFrom({ pidNamespace }: Process, number: number): number {
  return pidNamespace === undefined ? number : (pidNamespace.ids.get(number) ?? -1);
}

export function processNumbered(machine: Machine, viewer: Process, number: number): Process | undefined {
  return machine.processes.get(idFrom(viewer, number) as Pid);
}

export function threadNumbered(machine: Machine, viewer: Process, number: number): Thread | undefined {
  return machine.threads.get(idFrom(viewer, number) as Tid);
}

/** By the number of any of its threads. */
export function ownerNumbered(machine: Machine, viewer: Process, number: number): Process | undefined {
  return processNumbered(machine, viewer, number) ?? threadNumbered(machine, viewer, number)?.process;
}

export function isVisible({ pidNamespace }: Process, { pid }: Process): boolean {
  return pidNamespace === undefined || pidNamespace.numbers.has(pid);
}

/** Process 1 of its namespace: from inside nobody can kill it (SIGNAL_UNKILLABLE). */
export function isInit({ pid, pidNamespace }: Process): boolean {
  return pidNamespace?.init === pid;
}

/** Those who end with this process, because it is their namespace's first (zap_pid_ns_processes). */
export function endsWith(machine: Machine, init: Process): Process[] {
  const { pidNamespace } = init;
  if (pidNamespace === undefined || !isInit(init)) return [];
  pidNamespace.ended = true;
  return [...machine.processes.values()].filter((other) => other !== init && pidNamespace.numbers.has(other.pid));
}

/** The numbers of a thread from the first namespace to its own: the lines NSpid and its kin in /proc/PID/status. */
export function numbersOf({ pidNamespace }: Process, id: number): readonly number[] {
  return [...outwards(pidNamespace)]
    .map(({ numbers }) => numbers.get(id) ?? 0)
    .concat(id)
    .reverse();
}
