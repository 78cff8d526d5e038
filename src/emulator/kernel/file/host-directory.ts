/** Open directories. The names are read when the position is at the start, as rewinddir(3) expects; later changes are not seen. */
import type { HostDirectoryEntry } from '../../host/host.js';
import { pathBytes } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import type { NewTime } from './file-system.js';
import { tellClosed, tellOpen } from './inotify-news.js';
import { IN } from './inotify-table.js';
import { OpenDirectory } from './open-directory.js';
import type { DirectoryEntry } from './open-file.js';
import { parentOf } from './path-walk.js';
import type { FileStat } from './stat.js';

const DT_DIR = 4;

export class HostDirectory extends OpenDirectory {
  private names: readonly HostDirectoryEntry[] = [];
  override path: string;
  private isAnnounced = false;

  /** `handle`: the gateway's. `path`: absolute, in the machine and for the gateway. */
  constructor(
    machine: Machine,
    flags: number,
    private readonly handle: number,
    path: string,
  ) {
    super(machine, flags);
    this.path = path;
  }

  override announce(): void {
    this.isAnnounced = true;
    tellOpen(this.machine, this, IN.OPEN);
  }

  name(): string {
    const stat = this.stat();
    return typeof stat === 'object' && stat.links > 0 ? this.path : `${this.path} (deleted)`;
  }

  stat(): FileStat | number {
    return this.machine.host.files.fstat(this.handle);
  }

  override sync(): number {
    return this.machine.host.files.sync(this.handle, false);
  }

  override setMode(mode: number): number {
    return this.machine.host.files.fchmod(this.handle, mode);
  }

  override setOwner(uid: number, gid: number): number {
    return this.machine.host.files.fchown(this.handle, uid, gid);
  }

  override setTimes(accessed: NewTime, modified: NewTime): number {
    return this.machine.host.files.futimes(this.handle, accessed, modified);
  }

  override entries(limit: number): readonly DirectoryEntry[] | number {
    if (this.offset === 0) {
      const names = this.machine.host.files.readdir(this.path);
      if (typeof names === 'number') return names;
      this.names = [{ name: '.', type: DT_DIR }, { name: '..', type: DT_DIR }, ...names];
    }
    return this.names.slice(this.offset, this.offset + limit).map(({ name, type }, i) => {
      return { name: pathBytes(name), inode: this.inodeOf(name), type, next: this.offset + i + 1 };
    });
  }

  private inodeOf(name: string): number {
    const { path } = this;
    const at = name === '.' ? path : name === '..' ? parentOf(path) : `${path === '/' ? '' : path}/${name}`;
    const stat = this.machine.host.files.lstat(at);
    return typeof stat === 'number' ? 1 : stat.inode;
  }

  protected override closed(): void {
    if (this.isAnnounced) tellClosed(this.machine, this);
    this.machine.host.files.close(this.handle);
  }
}
