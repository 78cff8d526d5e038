/** Times of files that are in memory only. */
import { exactNs } from '../../clock.js';
import type { Machine } from '../../machine.js';
import type { NewTime } from './file-system.js';

/** CLOCK_REALTIME in ns. */
export function presentOf({ clock }: Machine): bigint {
  return exactNs(clock.realtime);
}

/** utimensat(2) on something in memory. */
export function setMemoryTimes(
  machine: Machine,
  target: { accessed: bigint; modified: bigint },
  accessed: NewTime,
  modified: NewTime,
): void {
  const now = presentOf(machine);
  if (accessed !== undefined) target.accessed = accessed === 'now' ? now : accessed;
  if (modified !== undefined) target.modified = modified === 'now' ? now : modified;
}
