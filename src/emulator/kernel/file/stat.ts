/** struct stat, as numbers (asm/stat.h, x86-64). Times in ns since 1970. */
export interface FileStat {
  readonly device: number;
  readonly inode: number;
  /** S_IF* and permission bits. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdevice: number;
  readonly size: number;
  readonly blockSize: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
  /** For statx. */
  readonly born: bigint;
}

/** File types in `mode` (linux/stat.h). */
export const S = {
  IFMT: 0o170000, IFSOCK: 0o140000, IFLNK: 0o120000, IFREG: 0o100000, IFBLK: 0o060000, IFDIR: 0o040000, IFCHR: 0o020000, IFIFO: 0o010000, ISUID: 0o4000,
  ISGID: 0o2000, ISVTX: 0o1000,
} as const; // biome-ignore format: a table

export function typeOf({ mode }: FileStat): number {
  return mode & S.IFMT;
}

export function isDirectory(stat: FileStat): boolean {
  return typeOf(stat) === S.IFDIR;
}

export function isLink(stat: FileStat): boolean {
  return typeOf(stat) === S.IFLNK;
}

/** d_type of getdents64(2): the type bits, shifted. */
export function directoryType(mode: number): number {
  return (mode & S.IFMT) >> 12;
}
