/**
 * USDT semaphores: a u16 in the program's data that counts the probes in place, so that the program prepares arguments only when somebody looks
 * (ref_ctr_offset of uprobes).
 */
import { log } from '../log.js';
import type { HostSpace } from './port.js';
import type { Probepoint } from './probepoint.js';

/** The breakpoint is in place. A counter whose page is not mapped yet follows when it is. */
export function countUp(probepoint: Probepoint): void {
  const { refCounter, uproc } = probepoint;
  if (refCounter === undefined || probepoint.counted) return;
  probepoint.counted = add(uproc.space, refCounter, 1);
  if (probepoint.counted) uproc.uncounted.delete(probepoint);
  else uproc.uncounted.add(probepoint);
}

export function countDown(probepoint: Probepoint): void {
  const { refCounter, uproc } = probepoint;
  uproc.uncounted.delete(probepoint);
  if (refCounter === undefined || !probepoint.counted) return;
  probepoint.counted = false;
  add(uproc.space, refCounter, -1);
}

/** False: the counter is not mapped. One that the program has reset is left alone. */
function add(space: HostSpace, address: number, change: 1 | -1): boolean {
  const bytes = new Uint8Array(2);
  const view = new DataView(bytes.buffer);
  if (space.read(address, bytes) < 2) return false;
  const next = view.getUint16(0, true) + change;
  if (next < 0 || next > 0xffff) {
    log.warn({ address, next }, 'USDT semaphore out of range: left alone');
    return true;
  }
  view.setUint16(0, next, true);
  return space.write(address, bytes);
}
