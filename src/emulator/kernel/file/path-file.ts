/** O_PATH descriptors: a place in the file tree that was not opened; every transfer is EBADF (descriptors.ts). */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { innerPath } from './file-system.js';
import { OpenFile } from './open-file.js';
import type { Located } from './path-walk.js';
import type { FileStat } from './stat.js';

export class PathFile extends OpenFile {
  override path: string | undefined;
  /** What a magic link led to. */
  private readonly behind: OpenFile | undefined;

  constructor(
    machine: Machine,
    flags: number,
    { path, file }: Located,
    private readonly opener: Process,
    /** When it was opened: it stays what it is when the name goes to another file. */
    private readonly opened: FileStat,
  ) {
    super(machine, flags);
    this.path = file === undefined ? path : file.path;
    this.behind = file?.retain();
  }

  name(): string {
    return this.behind?.name() ?? (this.path as string);
  }

  stat(): FileStat | number {
    if (this.behind !== undefined) return this.behind.stat();
    const path = this.path as string;
    const mount = this.machine.mounts.find(path);
    const now = mount.fs.lstat(innerPath(mount, path), this.opener);
    const same = typeof now === 'object' && now.inode === this.opened.inode && now.device === this.opened.device;
    return same ? now : this.opened;
  }

  protected override closed(): void {
    this.behind?.release();
  }
}
