/** Who may do what to whom (kernel/cred.c, ptrace_may_access, check_kill_permission). */
import type { Process } from '../process.js';
import { SIGNAL } from '../signals.js';

/** Capability numbers (linux/capability.h) that something here asks for. */
export const CAP = {
  CHOWN: 0, DAC_OVERRIDE: 1, DAC_READ_SEARCH: 2, FOWNER: 3, FSETID: 4, KILL: 5, SETGID: 6, SETUID: 7, SETPCAP: 8, NET_BIND_SERVICE: 10, NET_ADMIN: 12, IPC_LOCK: 14,
  IPC_OWNER: 15, SYS_CHROOT: 18, SYS_PTRACE: 19, SYS_ADMIN: 21, SYS_NICE: 23, SYS_RESOURCE: 24, SYS_TIME: 25, LAST: 40,
} as const; // biome-ignore format: a table

export function capable({ credentials }: Process, capability: number): boolean {
  return (credentials.capabilities.effective >> BigInt(capability)) % 2n === 1n;
}

/** kill(2): same user, or CAP_KILL; SIGCONT to anybody in the session. */
export function maySignal(from: Process, to: Process, signal: number): boolean {
  if (signal === SIGNAL.CONT && from.sid === to.sid) return true;
  const { euid, ruid } = from.credentials;
  const { ruid: targetReal, suid } = to.credentials;
  return (
    from === to ||
    euid === suid ||
    euid === targetReal ||
    ruid === suid ||
    ruid === targetReal ||
    capable(from, CAP.KILL)
  );
}

/** ptrace_may_access with real ids: one looks into a process of the same user, or with CAP_SYS_PTRACE. */
export function mayInspect(from: Process, to: Process): boolean {
  if (from === to || capable(from, CAP.SYS_PTRACE)) return true;
  const { ruid, rgid } = from.credentials;
  const target = to.credentials;
  const same = [target.euid, target.suid, target.ruid].every((id) => id === ruid);
  return same && [target.egid, target.sgid, target.rgid].every((id) => id === rgid) && to.dumpable === 1;
}
