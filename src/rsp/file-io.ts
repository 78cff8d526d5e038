/**
 * The File-I/O extension's own numbers for errors and open flags, and its struct stat (gdb manual, "Protocol-specific
 * Representation of Datatypes"; include/gdb/fileio.h).
 */
import type { FileStat, OpenMode } from './target-abilities.js';

/** Errors whose number differs from Linux's. */
const RENUMBERED: ReadonlyMap<number, number> = new Map([
  [36, 91], // ENAMETOOLONG
  [38, 88], // ENOSYS
]);
/** Linux errnos that File-I/O has, under the same number. */
const SAME: ReadonlySet<number> = new Set([1, 2, 4, 5, 9, 13, 14, 16, 17, 19, 20, 21, 22, 23, 24, 27, 28, 29, 30]);
const UNKNOWN = 9999;

export function fileIoErrno(linux: number): number {
  return RENUMBERED.get(linux) ?? (SAME.has(linux) ? linux : UNKNOWN);
}

const ACCESS = ['read', 'write', 'both'] as const;
const O_ACCMODE = 3;
const O_APPEND = 0x8;
const O_CREAT = 0x200;
const O_TRUNC = 0x400;
const O_EXCL = 0x800;
const KNOWN_FLAGS = O_ACCMODE | O_APPEND | O_CREAT | O_TRUNC | O_EXCL;

/** undefined: flags that File-I/O does not have. */
export function openMode(flags: number, permissions: number): OpenMode | undefined {
  const access = ACCESS[flags & O_ACCMODE];
  if (access === undefined || (flags & ~KNOWN_FLAGS) !== 0) return undefined;
  return {
    access,
    append: (flags & O_APPEND) !== 0,
    create: (flags & O_CREAT) !== 0,
    truncate: (flags & O_TRUNC) !== 0,
    exclusive: (flags & O_EXCL) !== 0,
    permissions: permissions & 0o7777,
  };
}

/** 64 bytes, big-endian: seven u32, three u64, three u32. Larger values keep their low bits. */
export function encodeStat(stat: FileStat): Uint8Array {
  const out = Buffer.alloc(64);
  let at = 0;
  for (const field of ['dev', 'ino', 'mode', 'nlink', 'uid', 'gid', 'rdev'] as const) at = u32(out, stat[field], at);
  for (const field of ['size', 'blksize', 'blocks'] as const) {
    at = out.writeBigUInt64BE(BigInt.asUintN(64, BigInt(Math.trunc(stat[field]))), at);
  }
  for (const field of ['atime', 'mtime', 'ctime'] as const) at = u32(out, stat[field], at);
  return out;
}

function u32(out: Buffer, value: number, at: number): number {
  return out.writeUInt32BE(Number(BigInt.asUintN(32, BigInt(Math.trunc(value)))), at);
}
