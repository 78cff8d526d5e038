/** Files without a name in any directory: pipes, sockets, eventfds and their kin. */
import { exactNs } from '../../clock.js';
import type { Machine } from '../../machine.js';
import { O, OpenFile } from './open-file.js';
import type { FileStat } from './stat.js';

/** st_dev of the file systems that hold them (pipefs, sockfs, anon_inodefs have minor numbers of their own in Linux; one serves here). */
const ANONYMOUS_DEVICE = 14;

/** `inode`: any number that is theirs alone. */
export function anonymousStat(
  machine: Machine,
  inode: number,
  mode: number,
  { uid, gid }: { readonly uid: number; readonly gid: number } = { uid: 0, gid: 0 },
): FileStat {
  const born = exactNs(machine.clock.epoch);
  return {
    device: ANONYMOUS_DEVICE,
    inode,
    mode,
    links: 1,
    uid,
    gid,
    rdevice: 0,
    size: 0,
    blockSize: 4096,
    blocks: 0,
    accessed: born,
    modified: born,
    changed: born,
    born,
  };
}

/** Eventfds, timerfds and the like all share one inode. */
const ANON_INODE = 9;

/** A file of the anonymous inode. `kind`: as /proc/PID/fd shows it. */
export abstract class AnonymousFile extends OpenFile {
  constructor(
    machine: Machine,
    flags: number,
    private readonly kind: string,
  ) {
    super(machine, O.RDWR | flags);
  }

  name(): string {
    return `anon_inode:${this.kind}`;
  }

  stat(): FileStat {
    return anonymousStat(this.machine, ANON_INODE, 0o600);
  }

  /** Has no position, and seeking is no error (noop_llseek). */
  override seek(): number {
    return 0;
  }
}
