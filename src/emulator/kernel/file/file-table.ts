/** The descriptors of a process (struct files_struct): shared by threads and CLONE_FILES, copied by fork. */
import type { Limit, Process, ProcessFiles } from '../../process.js';
import { EBADF, EINVAL, EMFILE } from '../errno.js';
import { RLIMIT } from '../limits.js';
import type { OpenFile } from './open-file.js';

export interface Descriptor {
  readonly file: OpenFile;
  closeOnExec: boolean;
}

export class FileTable implements ProcessFiles {
  private users = 1;
  private readonly descriptors: (Descriptor | undefined)[];

  constructor(descriptors: readonly (Descriptor | undefined)[] = []) {
    this.descriptors = [...descriptors];
  }

  get(fd: number): OpenFile | undefined {
    return this.descriptors[fd]?.file;
  }

  descriptor(fd: number): Descriptor | undefined {
    return this.descriptors[fd];
  }

  /** Descriptors in use, ascending. */
  numbers(): number[] {
    return [...this.descriptors.keys()].filter((fd) => this.descriptors[fd] !== undefined);
  }

  /** Puts a file at the lowest free number from `from` on; takes over the caller's reference. -EMFILE: the reference stays with the caller. */
  add(file: OpenFile, closeOnExec: boolean, limit: Limit, from = 0): number {
    if (from >= limit.soft) return -EINVAL;
    let fd = from;
    while (this.descriptors[fd] !== undefined) fd++;
    if (fd >= limit.soft) return -EMFILE;
    this.descriptors[fd] = { file, closeOnExec };
    return fd;
  }

  /** dup2: puts a file at this number, closing what was there; takes over the caller's reference. */
  replace(fd: number, file: OpenFile, closeOnExec: boolean): void {
    const old = this.descriptors[fd];
    this.descriptors[fd] = { file, closeOnExec };
    if (old !== undefined) this.leave(old.file);
  }

  /** 0 or -EBADF. */
  close(fd: number): number {
    const descriptor = this.descriptors[fd];
    if (descriptor === undefined) return -EBADF;
    this.descriptors[fd] = undefined;
    this.leave(descriptor.file);
    return 0;
  }

  /** Any close of a file gives up what the table holds of it: its fcntl(2) locks. */
  private leave(file: OpenFile): void {
    file.flush(this);
    file.release();
  }

  fork(): FileTable {
    for (const descriptor of this.descriptors) descriptor?.file.retain();
    return new FileTable(this.descriptors.map((descriptor) => (descriptor ? { ...descriptor } : undefined)));
  }

  unshare(): FileTable {
    if (this.users === 1) return this;
    this.users--;
    return this.fork();
  }

  share(): FileTable {
    this.users++;
    return this;
  }

  closeOnExec(): void {
    for (const [fd, descriptor] of this.descriptors.entries()) if (descriptor?.closeOnExec) this.close(fd);
  }

  release(): void {
    if (--this.users > 0) return;
    for (const fd of this.numbers()) this.close(fd);
  }
}

/** The table of a process that runs guest code. */
export function filesOf({ pid, files }: Process): FileTable {
  if (!(files instanceof FileTable)) throw new Error(`process ${pid} has no file table`);
  return files;
}

/** Gives a new file the lowest free descriptor under RLIMIT_NOFILE; the file is closed when there is none. The number or -EMFILE. */
export function install(process: Process, file: OpenFile, closeOnExec: boolean): number {
  const fd = filesOf(process).add(file, closeOnExec, process.limits[RLIMIT.NOFILE] as Limit);
  if (fd >= 0) return fd;
  file.release();
  return -EMFILE;
}
