/**
 * Probes of files, built on probes of processes: each mapping of the probed byte that could be executed gets one, whether it exists at registration or
 * appears later (section "mappings" of docs/uprobes.md says which mappings qualify).
 */

import { log } from '../log.js';
import { hex } from '../types.js';
import type { Core } from './core.js';
import type { Caller, HostProcess, HostVma } from './port.js';
import { type ProbeError, probeError } from './probe-error.js';
import { hasConsumer, place, putOff } from './register.js';
import { Registration } from './registration.js';
import type { FileProbe } from './uprobe.js';

export function registerFileProbe(core: Core, caller: Caller, probe: FileProbe): ProbeError | undefined {
  if (!hasConsumer(probe)) return probeError('EINVAL', 'a file probe needs a handler or a counter');
  if (core.registrations.get(probe) !== undefined) return probeError('EBUSY', 'this probe is registered already');
  if (core.handling === undefined) return registerNow(core, caller, probe);
  return putOff(core, () => {
    const outcome = registerNow(core, caller, probe);
    probe.registrationCallback?.(true, outcome);
  });
}

function registerNow(core: Core, caller: Caller, probe: FileProbe): ProbeError | undefined {
  if (!caller.privileged && probe.ownProcessesOnly !== true)
    return probeError('EACCES', 'probing a file concerns processes of others');
  if (probe.offset < 0 || probe.offset > (probe.fileSize ?? Number.POSITIVE_INFINITY))
    return probeError('EINVAL', `offset ${hex(probe.offset)} is behind the end of the file`);
  if ((probe.refCounterOffset ?? 0) % 2 !== 0)
    return probeError('EINVAL', `the semaphore at offset ${probe.refCounterOffset} is not aligned`);
  const registration = new Registration({ kind: 'file', probe }, caller);
  core.registrations.set(probe, registration);
  core.fileProbes.add(registration);
  for (const process of core.host.processes()) {
    const refusal = placeIn(core, registration, process, process.space.vmas());
    if (refusal === undefined) continue;
    for (const record of registration.records) core.removeConsumer(record);
    core.forgetClient(registration);
    return refusal;
  }
  return undefined;
}

/** Every file probe, in one new mapping or in all mappings of a new address space. */
export function placeFileProbes(core: Core, process: HostProcess, vma?: HostVma): void {
  if (core.fileProbes.size === 0 || !process.alive) return;
  const vmas = vma === undefined ? [...process.space.vmas()] : [vma];
  for (const registration of core.fileProbes) {
    const refusal = placeIn(core, registration, process, vmas);
    if (refusal !== undefined)
      log.warn({ pid: process.pid, reason: refusal.reason }, 'a file probe is not in force here');
  }
}

/** After an exec that changed ids: who may not probe the process any more does not, though its image was mapped when it still might. */
export function dropForbidden(core: Core, process: HostProcess): void {
  for (const registration of core.fileProbes) {
    if (isPermitted(registration, process)) continue;
    for (const record of registration.records) if (record.process === process) core.removeConsumer(record);
  }
}

function isPermitted({ action, caller }: Registration, process: HostProcess): boolean {
  return action?.kind !== 'file' || action.probe.ownProcessesOnly !== true || caller?.mayProbe(process) === true;
}

/** A refusal of the instruction. Mappings that do not qualify, and places where it is already, are passed over. */
function placeIn(
  core: Core,
  registration: Registration,
  process: HostProcess,
  vmas: Iterable<HostVma>,
): ProbeError | undefined {
  const { action } = registration;
  if (action?.kind !== 'file' || !process.alive || !isPermitted(registration, process)) return undefined;
  const { probe } = action;
  if (probe.refCounterOffset !== undefined) findCounters(core, registration, process, probe);
  for (const vma of vmas) {
    const address = addressIn(vma, probe);
    if (address === undefined || isThere(registration, process, address)) continue;
    const refusal = place(core, registration, process, address, counterAddress(process, probe));
    if (refusal?.name === 'ENOTSUPP' || refusal?.name === 'ENOEXEC') return refusal;
  }
  return undefined;
}

function isThere(registration: Registration, { space }: HostProcess, address: number): boolean {
  for (const { probepoint } of registration.records) {
    if (probepoint.uproc.space === space && probepoint.vaddr === address) return true;
  }
  return false;
}

/** Where the probed byte lies in this mapping: private, executable or able to become so, and not writable now, as Linux has it (valid_vma). */
function addressIn(vma: HostVma, { file, offset }: FileProbe): number | undefined {
  if (vma.shared || vma.writable || !vma.mayExecute) return undefined;
  return holds(vma, file, offset) ? vma.start + offset - vma.offset : undefined;
}

function holds(vma: HostVma, file: FileProbe['file'], offset: number): boolean {
  const same = vma.file !== undefined && vma.file.dev === file.dev && vma.file.ino === file.ino;
  return same && offset >= vma.offset && offset < vma.offset + (vma.end - vma.start);
}

/** The mapping with the semaphore may have appeared after the one with the code. */
function findCounters(core: Core, registration: Registration, process: HostProcess, probe: FileProbe): void {
  for (const { probepoint } of registration.records) {
    if (probepoint.uproc.space !== process.space || probepoint.refCounter !== undefined) continue;
    const address = counterAddress(process, probe);
    if (address !== undefined) core.setRefCounter(probepoint, address);
  }
}

/** The semaphore lies in the writable private mapping of the same file; undefined: it is not there yet. */
function counterAddress({ space }: HostProcess, { file, refCounterOffset }: FileProbe): number | undefined {
  if (refCounterOffset === undefined) return undefined;
  for (const vma of space.vmas()) {
    if (vma.writable && !vma.shared && holds(vma, file, refCounterOffset))
      return vma.start + refCounterOffset - vma.offset;
  }
  return undefined;
}
