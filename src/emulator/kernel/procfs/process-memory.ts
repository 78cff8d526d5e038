/** /proc/PID/mem: the memory of a process as its debugger sees it, whatever the protection (fs/proc/base.c, mem_rw). */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { EINVAL, EIO } from '../errno.js';
import { innerPath } from '../file/file-system.js';
import { OpenFile, statusFlags } from '../file/open-file.js';
import type { FileStat } from '../file/stat.js';
import { spaceOf } from './memory-map.js';

export class ProcessMemory extends OpenFile {
  override path: string;

  constructor(
    machine: Machine,
    flags: number,
    path: string,
    private readonly target: Process,
    private readonly opener: Process,
  ) {
    super(machine, statusFlags(flags));
    this.path = path;
  }

  name(): string {
    return this.path;
  }

  stat(): FileStat | number {
    const mount = this.machine.mounts.find(this.path);
    return mount.fs.lstat(innerPath(mount, this.path), this.opener);
  }

  override get isSeekable(): boolean {
    return true;
  }

  override read(into: Uint8Array): number {
    const got = this.pread(into, this.offset);
    if (got > 0) this.offset += got;
    return got;
  }

  /** 0 when the process has ended: its memory is gone. */
  override pread(into: Uint8Array, at: number): number {
    const got = spaceOf(this.target)?.peek(at, into);
    if (got === undefined || into.length === 0) return 0;
    return got === 0 ? -EIO : got;
  }

  override write(from: Uint8Array): number {
    const put = this.pwrite(from, this.offset);
    if (put > 0) this.offset += put;
    return put;
  }

  override pwrite(from: Uint8Array, at: number): number {
    const space = spaceOf(this.target);
    if (space === undefined || from.length === 0) return 0;
    return space.poke(at, from) ? from.length : -EIO;
  }

  override seek(offset: number, whence: number): number {
    if (whence > 1) return -EINVAL;
    this.offset = whence === 0 ? offset : this.offset + offset;
    return this.offset;
  }
}
