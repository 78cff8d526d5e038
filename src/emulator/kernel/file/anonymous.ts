/** Files without a name in any directory: pipes, sockets, eventfds and their kin. */
import { exactNs } from '../../clock.js';
import type { Machine } from '../../machine.js';
import { EOPNOTSUPP } from '../errno.js';
import type { NewTime } from './file-system.js';
import { setMemoryTimes } from './memory-times.js';
import { type Changeable, O, OpenFile } from './open-file.js';
import { type FileStat, S } from './stat.js';

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

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** As chown(2) leaves it: -1 keeps what there is. */
export function newOwner({ uid: oldUid, gid: oldGid }: Owner, uid: number, gid: number): Owner {
  return { uid: uid === -1 ? oldUid : uid, gid: gid === -1 ? oldGid : gid };
}

/** The inode of a pipe or socket: calls change its attributes, which nobody else looks at. */
export class AnonymousInode implements Changeable {
  accessed: bigint;
  modified: bigint;

  constructor(
    private readonly machine: Machine,
    private readonly number: number,
    private mode: number,
    private owner: Owner,
  ) {
    this.accessed = exactNs(machine.clock.epoch);
    this.modified = this.accessed;
  }

  stat(): FileStat {
    const { accessed, modified } = this;
    return { ...anonymousStat(this.machine, this.number, this.mode, this.owner), accessed, modified };
  }

  setMode(mode: number): number {
    this.mode = (this.mode & S.IFMT) | mode;
    return 0;
  }

  setOwner(uid: number, gid: number): number {
    this.owner = newOwner(this.owner, uid, gid);
    return 0;
  }

  setTimes(accessed: NewTime, modified: NewTime): number {
    setMemoryTimes(this.machine, this, accessed, modified);
    return 0;
  }
}

/** Of the inode that many files share (anon_inode_setattr). */
const UNCHANGEABLE: Changeable = {
  setMode: () => -EOPNOTSUPP,
  setOwner: () => -EOPNOTSUPP,
  setTimes: () => -EOPNOTSUPP,
};

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

  protected override get inode(): Changeable {
    return UNCHANGEABLE;
  }

  /** Has no position, and seeking is no error (noop_llseek). */
  override seek(): number {
    return 0;
  }
}
