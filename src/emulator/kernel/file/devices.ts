/** The memory devices (drivers/char/mem.c, random.c): /dev/null, zero, full, random, urandom. */
import type { Machine } from '../../machine.js';
import { EINVAL, ENOSPC, EPERM } from '../errno.js';
import { innerPath } from './file-system.js';
import { OpenFile, statusFlags } from './open-file.js';
import type { FileStat } from './stat.js';

/** A character device by its name; what each does is in `read` and `write`. */
export abstract class Device extends OpenFile {
  override path: string;

  constructor(machine: Machine, flags: number, path: string) {
    super(machine, statusFlags(flags));
    this.path = path;
  }

  name(): string {
    return this.path;
  }

  stat(): FileStat | number {
    const mount = this.machine.mounts.find(this.path);
    const viewer = this.machine.root;
    return viewer === undefined ? -EPERM : mount.fs.lstat(innerPath(mount, this.path), viewer);
  }
}

abstract class MemoryDevice extends Device {
  override get isSeekable(): boolean {
    return true;
  }

  override pread(into: Uint8Array): number {
    return this.read(into);
  }

  abstract override read(into: Uint8Array): number;

  override write(from: Uint8Array): number {
    return from.length;
  }

  override pwrite(from: Uint8Array): number {
    return this.write(from);
  }

  /** The position is kept and means nothing (memory_lseek, null_lseek). */
  override seek(_offset: number, _whence: number): number {
    return 0;
  }
}

export class NullDevice extends MemoryDevice {
  override read(): number {
    return 0;
  }
}

export class ZeroDevice extends MemoryDevice {
  override get mapsZeros(): boolean {
    return true;
  }

  override read(into: Uint8Array): number {
    into.fill(0);
    return into.length;
  }
}

export class FullDevice extends ZeroDevice {
  override get mapsZeros(): boolean {
    return false;
  }

  override write(from: Uint8Array): number {
    return from.length === 0 ? 0 : -ENOSPC;
  }
}

/** Bytes from the machine's seed. Writing adds nothing to it. */
export class RandomDevice extends MemoryDevice {
  override read(into: Uint8Array): number {
    this.machine.entropy.fill(into);
    return into.length;
  }

  override seek(_offset: number, whence: number): number {
    return whence > 4 ? -EINVAL : 0;
  }
}
