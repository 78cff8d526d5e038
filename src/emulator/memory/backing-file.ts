/**
 * What mappings and the page cache need of a file. Regular files of the host and memfds implement it (kernel/file/); the memory layer owns the
 * interface so that it knows nothing of descriptors.
 */
export interface BackingFile {
  /** Equal for two opens of the same file, different for different files: the page cache is shared by key. */
  readonly key: string;
  /** As /proc/PID/maps shows it; with ` (deleted)` once the name is gone. */
  readonly path: string;
  /** A name for what is in it now, the same in the next run of the server if the file has not changed; undefined: there is none. Letters, digits, `-`. */
  readonly contents?: string | undefined;
  /** st_dev and st_ino. */
  readonly device: number;
  readonly inode: number;
  /** Bytes, now. */
  size(): number;
  /** Reads at a position; bytes read, fewer only at the end of the file, or -errno. */
  pread(into: Uint8Array, at: number): number;
  /** Writes at a position, growing the file; bytes written or -errno. */
  pwrite(from: Uint8Array, at: number): number;
  /** One user more (a mapping), one less; the last one closes the host's descriptor. */
  retain(): void;
  release(): void;
}
