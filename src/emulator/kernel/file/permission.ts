/**
 * Who may do what with a file (fs/namei.c, generic_permission). The host's own rights hold in any case, since the gateway acts as the server's user;
 * these checks are for guests whose credentials are no longer those, after setuid and its kin.
 */
import type { Machine } from '../../machine.js';
import type { Credentials, Process } from '../../process.js';
import { CAP } from '../identity-checks.js';
import { type FileStat, isDirectory, S } from './stat.js';

export const MAY = { EXEC: 1, WRITE: 2, READ: 4 } as const;

/** Are the guest's rights those of the server's user, so that the host's answer is the right one? */
function hostDecides({ host: { inputs } }: Machine, { credentials }: Process): boolean {
  const { fsuid, fsgid, groups } = credentials;
  if (fsuid !== inputs.uid || fsgid !== inputs.gid || groups.length !== inputs.groups.length) return false;
  if (groups.some((group, i) => group !== inputs.groups[i])) return false;
  return has(credentials, CAP.DAC_OVERRIDE) === (inputs.uid === 0);
}

function has({ capabilities }: Credentials, capability: number): boolean {
  return (capabilities.effective >> BigInt(capability)) % 2n === 1n;
}

/** The file's mode bits for these credentials, with the capabilities that override them. `mask`: MAY bits. */
export function permits(credentials: Credentials, stat: FileStat, mask: number): boolean {
  const { fsuid, fsgid, groups } = credentials;
  const shift = stat.uid === fsuid ? 6 : stat.gid === fsgid || groups.includes(stat.gid) ? 3 : 0;
  if (((stat.mode >> shift) & mask) === mask) return true;
  if (isDirectory(stat)) {
    const reads = !(mask & MAY.WRITE) && has(credentials, CAP.DAC_READ_SEARCH);
    return reads || has(credentials, CAP.DAC_OVERRIDE);
  }
  if (mask === MAY.READ && has(credentials, CAP.DAC_READ_SEARCH)) return true;
  // Nobody executes what is executable for nobody.
  const executable = !(mask & MAY.EXEC) || (stat.mode & 0o111) !== 0;
  return executable && has(credentials, CAP.DAC_OVERRIDE);
}

/** `permits`, where the host would not answer for the guest. */
export function mayUse(machine: Machine, process: Process, stat: FileStat, mask: number): boolean {
  return mask === 0 || hostDecides(machine, process) || permits(process.credentials, stat, mask);
}

export function maySearch(machine: Machine, process: Process, stat: FileStat): boolean {
  return mayUse(machine, process, stat, MAY.EXEC);
}

/** May a name in this directory be removed? A sticky one lets only owners (check_sticky). */
export function mayRemove(machine: Machine, process: Process, directory: FileStat, victim: FileStat): boolean {
  if (hostDecides(machine, process)) return true;
  const { credentials } = process;
  if (!permits(credentials, directory, MAY.WRITE | MAY.EXEC)) return false;
  const owns = victim.uid === credentials.fsuid || directory.uid === credentials.fsuid;
  return !(directory.mode & S.ISVTX) || owns || has(credentials, CAP.FOWNER);
}

/** Is the process the owner of the file, or may it act as such (inode_owner_or_capable)? */
export function ownsFile(machine: Machine, process: Process, stat: FileStat): boolean {
  return (
    hostDecides(machine, process) || process.credentials.fsuid === stat.uid || has(process.credentials, CAP.FOWNER)
  );
}
