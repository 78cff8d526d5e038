/**
 * Who watches which inode, and what is told about it (fs/notify/). Changes that guests make to the host's files are told here by host-fs.ts and
 * host-file.ts; what other programs of the host do is not seen.
 */
import type { FileStat } from './stat.js';

/** Events (linux/inotify.h). */
export const IN = {
  ACCESS: 1, MODIFY: 2, ATTRIB: 4, CLOSE_WRITE: 8, CLOSE_NOWRITE: 0x10, OPEN: 0x20, MOVED_FROM: 0x40, MOVED_TO: 0x80, CREATE: 0x100, DELETE: 0x200,
  DELETE_SELF: 0x400, MOVE_SELF: 0x800, ALL: 0xfff, UNMOUNT: 0x2000, Q_OVERFLOW: 0x4000, IGNORED: 0x8000, ONLYDIR: 0x100_0000, DONT_FOLLOW: 0x200_0000,
  EXCL_UNLINK: 0x400_0000, MASK_CREATE: 0x1000_0000, MASK_ADD: 0x2000_0000, ISDIR: 0x4000_0000, ONESHOT: 0x8000_0000,
} as const; // biome-ignore format: a table

/** Somebody's interest in an inode. */
export interface InodeWatch {
  /** IN bits: events and ONESHOT. */
  readonly mask: number;
  /** `name`: of the entry of a watched directory; '' for the watched thing itself. */
  told(mask: number, cookie: number, name: string): void;
  /** The inode is gone. */
  ended(): void;
}

/** Device and inode of what a path or file is now. */
export function identityOf({ device, inode }: Pick<FileStat, 'device' | 'inode'>): string {
  return `${device}:${inode}`;
}

export class InotifyTable {
  private readonly watches = new Map<string, InodeWatch[]>();
  private nextCookie = 1;

  /** Nobody watches anything: there is nothing to find out. */
  get isEmpty(): boolean {
    return this.watches.size === 0;
  }

  add(identity: string, watch: InodeWatch): void {
    const others = this.watches.get(identity);
    if (others === undefined) this.watches.set(identity, [watch]);
    else others.push(watch);
  }

  remove(identity: string, watch: InodeWatch): void {
    const left = this.watches.get(identity)?.filter((other) => other !== watch) ?? [];
    if (left.length > 0) this.watches.set(identity, left);
    else this.watches.delete(identity);
  }

  /** What the two halves of a rename have in common. */
  cookie(): number {
    return this.nextCookie++;
  }

  tell(identity: string | undefined, mask: number, name = '', cookie = 0): void {
    const watches = identity === undefined ? undefined : this.watches.get(identity);
    for (const watch of [...(watches ?? [])]) {
      if (watch.mask & mask & IN.ALL) watch.told(mask, cookie, name);
      if (mask & IN.DELETE_SELF) watch.ended();
    }
  }
}
