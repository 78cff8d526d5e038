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
