/** Process groups and sessions, as job control sees them. */
import type { Machine } from '../machine.js';
import type { Process } from '../process.js';

export function membersOf(machine: Machine, pgid: number): Process[] {
  return [...machine.processes.values()].filter((process) => process.pgid === pgid && process !== machine.root);
}

/**
 * No member has a living parent in another group of the same session: nobody could continue it (will_become_orphaned_pgrp). The virtual root counts
 * as such a parent for what it started, as the shell or debugger that it stands for, and not for the orphans that it adopted.
 */
export function isOrphanedGroup(machine: Machine, pgid: number, ending?: Process): boolean {
  return !membersOf(machine, pgid).some((member) => member !== ending && hasMinder(machine, member, ending));
}

function hasMinder(
  machine: Machine,
  { parent, pgid, sid, status, adopted }: Process,
  ending: Process | undefined,
): boolean {
  if (parent === undefined || parent === ending || status !== undefined) return false;
  if (parent === machine.root && adopted) return false;
  return parent.pgid !== pgid && parent.sid === sid;
}
