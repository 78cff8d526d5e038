/** Registration and unregistration. The order of the checks decides the errno. */
import { log } from '../log.js';
import { hex, vaddr } from '../types.js';
import type { Core } from './core.js';
import type { Caller, HostProcess, HostVma } from './port.js';
import { isProbeError, type ProbeError, probeError } from './probe-error.js';
import type { Probepoint } from './probepoint.js';
import { ConsumerRecord, type ProbeAction, probeOf, Registration } from './registration.js';
import type { CollectRequest, ProbeHandlers, StopRequest, Uprobe } from './uprobe.js';

/** Probes in one call (UPROBE_MULTI's MAX_UPROBE_MULTI_CNT). */
const MAX_AT_ONCE = 1 << 20;
/** Registrations and unregistrations that one hit may put off. */
const MAX_DEFERRED = 1024;

export function registerUprobe(core: Core, caller: Caller, uprobe: Uprobe): ProbeError | undefined {
  if (!hasConsumer(uprobe)) return probeError('EINVAL', 'a uprobe needs a handler or a counter');
  if (core.registrations.get(uprobe) !== undefined) return probeError('EBUSY', 'this uprobe is registered already');
  if (core.handling === undefined) return registerNow(core, caller, uprobe);
  return putOff(core, () => {
    const outcome = core.registrations.get(uprobe)
      ? probeError('EBUSY', 'this uprobe is registered already')
      : registerNow(core, caller, uprobe);
    uprobe.registrationCallback?.(true, outcome);
  });
}

export function hasConsumer({ handler, retHandler, counter }: ProbeHandlers): boolean {
  return handler !== undefined || retHandler !== undefined || counter !== undefined;
}

/** Called from inside a handler: done after the instruction of the hit. */
export function putOff(core: Core, action: () => void): ProbeError | undefined {
  const { handling } = core;
  if (handling === undefined) throw new Error('nothing to wait for');
  if (handling.deferred.length >= MAX_DEFERRED) return probeError('ENOSPC', 'too much asked for by one handler');
  core.statistics.deferred++;
  handling.deferred.push(action);
  return probeError('EINPROGRESS', 'follows after the instruction that is being probed');
}

function registerNow(core: Core, caller: Caller, uprobe: Uprobe): ProbeError | undefined {
  const process = caller.resolve(uprobe.pid);
  if (process === undefined || !process.alive) return probeError('ESRCH', `no process ${uprobe.pid}`);
  if (!caller.mayProbe(process)) return probeError('EPERM', `not permitted to probe process ${uprobe.pid}`);
  const address = vaddr(uprobe.vaddr);
  if (address === undefined) return probeError('EINVAL', `${hex(uprobe.vaddr)} is not a user address`);
  const registration = new Registration({ kind: 'uprobe', probe: uprobe }, caller);
  const outcome = place(core, registration, process, address, uprobe.refCounter);
  if (outcome === undefined) core.registrations.set(uprobe, registration);
  return outcome;
}

/** All or none: the first error undoes what was done. */
export function registerAll(core: Core, caller: Caller, uprobes: readonly Uprobe[]): ProbeError | undefined {
  if (uprobes.length > MAX_AT_ONCE) return probeError('E2BIG', `${uprobes.length} probes at once`);
  for (const [i, uprobe] of uprobes.entries()) {
    const error = registerUprobe(core, caller, uprobe);
    if (error === undefined) continue;
    for (const done of uprobes.slice(0, i)) unregister(core, core.registrations.get(done));
    return error;
  }
  return undefined;
}

/** Puts a handler's registration in force at one address of one process. */
export function place(
  core: Core,
  registration: Registration,
  process: HostProcess,
  address: number,
  refCounter: number | undefined,
): ProbeError | undefined {
  const { space } = process;
  const bytes = handlerPlace(core, registration, process, address);
  if (isProbeError(bytes)) return bytes;
  const insn = core.analyze(core.uproc(space), address, bytes);
  if (isProbeError(insn)) return insn;
  return (
    limits(core, process, address) ??
    counterError(core, process, address, refCounter) ??
    attach(core, registration, process, address, bytes, refCounter)
  );
}

/** The bytes of the instruction, if a handler may be there. Mappings of a probed file may become executable later. */
function handlerPlace(
  core: Core,
  { action }: Registration,
  { space }: HostProcess,
  address: number,
): Uint8Array | ProbeError {
  if (space.inXolHole(address)) return probeError('EINVAL', `${hex(address)} is in the area of XOL slots`);
  const vma = space.vma(address);
  if (vma === undefined) return probeError('EINVAL', `nothing is mapped at ${hex(address)}`);
  if (!vma.executable && !(action?.kind === 'file' && vma.mayExecute))
    return probeError('EINVAL', `${hex(address)} is not executable`);
  const bytes = core.readInsn(space, address);
  if (bytes.length === 0) return probeError('EIO', `the instruction at ${hex(address)} cannot be read`);
  if (bytes[0] === core.arch.breakpoint)
    return probeError('EEXIST', `the program has a breakpoint instruction at ${hex(address)}`);
  return bytes;
}

function limits(core: Core, { space }: HostProcess, address: number): ProbeError | undefined {
  const { maxProbepoints, maxConsumers } = core.options;
  const uproc = core.uproc(space);
  const probepoint = uproc.probepoints.get(address);
  if (probepoint === undefined && uproc.probepoints.size >= maxProbepoints)
    return probeError('ENOSPC', `${maxProbepoints} probepoints in one process`);
  if (probepoint !== undefined && probepoint.consumers.length >= maxConsumers)
    return probeError('ENOSPC', `${maxConsumers} probes at ${hex(address)}`);
  return undefined;
}

function counterError(
  core: Core,
  { space }: HostProcess,
  address: number,
  refCounter: number | undefined,
): ProbeError | undefined {
  if (refCounter !== undefined && refCounter % 2 !== 0)
    return probeError('EINVAL', `the semaphore at ${hex(refCounter)} is not aligned`);
  const probepoint = core.uproc(space).probepoints.get(address);
  const others = probepoint?.consumers.some(({ registration }) => probeOf(registration.action) !== undefined);
  if (others && probepoint?.refCounter !== refCounter)
    return probeError('EINVAL', `another probe at ${hex(address)} has another semaphore`);
  return undefined;
}

function attach(
  core: Core,
  registration: Registration,
  process: HostProcess,
  address: number,
  bytes: Uint8Array,
  refCounter: number | undefined,
): ProbeError | undefined {
  const uproc = core.uproc(process.space);
  const probepoint = uproc.probepoints.get(address) ?? core.newProbepoint(uproc, address, bytes);
  const record = new ConsumerRecord(registration, probepoint, process);
  if (refCounter !== undefined) core.setRefCounter(probepoint, refCounter);
  core.addConsumer(record);
  if (core.update(probepoint)) return undefined;
  core.removeConsumer(record);
  return probeError('ENOMEM', `no memory for a breakpoint at ${hex(address)}`);
}

// ---- a debugger's breakpoints and tracepoints

export function registerStop(core: Core, request: StopRequest): Registration | ProbeError {
  const { process, address, conditions, commands, waits = false } = request;
  const action: ProbeAction =
    commands.length > 0 ? { kind: 'commands', conditions, commands } : { kind: 'stop', conditions };
  const registration = new Registration(action, undefined);
  if (waits) registration.waitsAt = { process, address };
  return placeAnywhere(core, process, address, registration) ?? registration;
}

/** Something is mapped: breakpoints that have waited for it. */
export function placeWaiting(core: Core, process: HostProcess, { start, end }: HostVma): void {
  for (const registration of [...core.waiting]) {
    const { waitsAt } = registration;
    if (waitsAt?.process !== process || waitsAt.address < start || waitsAt.address >= end) continue;
    core.waiting.delete(registration);
    const error = placeAnywhere(core, process, waitsAt.address, registration);
    if (error !== undefined)
      log.warn({ address: hex(waitsAt.address), ...error }, 'a breakpoint that has waited is lost');
  }
}

export function registerCollector(core: Core, request: CollectRequest): Registration | ProbeError {
  const { process, address, unless } = request;
  const action: ProbeAction = { kind: 'collect', unless, collect: (thread) => request.collect(thread) };
  const registration = new Registration(action, undefined);
  return placeAnywhere(core, process, address, registration) ?? registration;
}

/** On any mapped byte, executable or not: gdb calls functions with a breakpoint on the stack as the return address. */
function placeAnywhere(
  core: Core,
  process: HostProcess,
  address: number,
  registration: Registration,
): ProbeError | undefined {
  const { space, alive, pid } = process;
  if (!alive) return probeError('ESRCH', `process ${pid} has ended`);
  if (space.inXolHole(address)) return probeError('EINVAL', `${hex(address)} is in the area of XOL slots`);
  const bytes = core.readInsn(space, address);
  if (bytes.length === 0 && registration.waitsAt !== undefined) {
    core.waiting.add(registration);
    return undefined;
  }
  if (bytes.length === 0) return probeError('EIO', `nothing is mapped at ${hex(address)}`);
  return limits(core, process, address) ?? attach(core, registration, process, address, bytes, undefined);
}

// ---- unregistration

/** Never fails and never waits: threads inside go on with the probepoint, and never with the client's object. */
export function unregister(core: Core, registration: Registration | undefined): void {
  const probe = probeOf(registration?.action);
  if (registration?.action === undefined) return;
  core.forgetClient(registration);
  if (core.handling === undefined) return removeRecords(core, registration);
  core.handling.deferred.push(() => {
    removeRecords(core, registration);
    probe?.registrationCallback?.(false, undefined);
  });
  core.statistics.deferred++;
}

function removeRecords(core: Core, registration: Registration): void {
  for (const record of registration.records) core.removeConsumer(record);
}

/** Resolves when no handler of the registration runs, or can start. */
export function drained(registration: Registration | undefined): Promise<void> {
  if (registration === undefined || registration.inflight === 0) return Promise.resolve();
  return new Promise((resolve) => registration.drained.push(resolve));
}

/** The filter may answer differently now (uprobe_apply). */
export function applyFilter(core: Core, registration: Registration | undefined): void {
  if (registration === undefined) return;
  registration.forgetAnswers();
  const probepoints = new Set<Probepoint>([...registration.records].map(({ probepoint }) => probepoint));
  for (const probepoint of probepoints) core.update(probepoint);
}
