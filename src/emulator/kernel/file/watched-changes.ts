/** Changes of the host's files with news of them for inotify. Costs nothing as long as nobody watches. */
import type { FileSystemChanges, NewTime } from './file-system.js';
import { IN, type InotifyTable, identityOf } from './inotify-table.js';
import { parentOf } from './path-walk.js';
import { type FileStat, isDirectory } from './stat.js';

export class WatchedChanges implements FileSystemChanges {
  constructor(
    private readonly changes: FileSystemChanges,
    private readonly inotify: InotifyTable,
    private readonly lstat: (path: string) => FileStat | number,
  ) {}

  private find(path: string): FileStat | undefined {
    const stat = this.inotify.isEmpty ? -1 : this.lstat(path);
    return typeof stat === 'number' ? undefined : stat;
  }

  /** Tells those who watch the directory of a name. */
  private tellDirectory(path: string, mask: number, cookie = 0): void {
    const directory = this.find(parentOf(path));
    if (directory !== undefined)
      this.inotify.tell(identityOf(directory), mask, path.slice(path.lastIndexOf('/') + 1), cookie);
  }

  private tellSelf(stat: FileStat, mask: number): void {
    this.inotify.tell(identityOf(stat), mask);
  }

  private made(result: number, path: string, flag = 0): number {
    if (result === 0 && !this.inotify.isEmpty) this.tellDirectory(path, IN.CREATE | flag);
    return result;
  }

  mkdir(path: string, mode: number, umask: number): number {
    return this.made(this.changes.mkdir(path, mode, umask), path, IN.ISDIR);
  }

  mknod(path: string, type: number, mode: number, umask: number): number {
    return this.made(this.changes.mknod(path, type, mode, umask), path);
  }

  symlink(target: string, path: string): number {
    return this.made(this.changes.symlink(target, path), path);
  }

  link(from: string, to: string): number {
    const result = this.made(this.changes.link(from, to), to);
    const stat = result === 0 ? this.find(from) : undefined;
    if (stat !== undefined) this.tellSelf(stat, IN.ATTRIB);
    return result;
  }

  rmdir(path: string): number {
    const stat = this.find(path);
    const result = this.changes.rmdir(path);
    if (result !== 0 || stat === undefined) return result;
    this.tellSelf(stat, IN.DELETE_SELF);
    this.tellDirectory(path, IN.DELETE | IN.ISDIR);
    return result;
  }

  /** The last name takes the inode along. */
  unlink(path: string): number {
    const stat = this.find(path);
    const result = this.changes.unlink(path);
    if (result !== 0 || stat === undefined) return result;
    this.tellSelf(stat, IN.ATTRIB);
    if (stat.links <= 1) this.tellSelf(stat, IN.DELETE_SELF);
    this.tellDirectory(path, IN.DELETE);
    return result;
  }

  rename(from: string, to: string): number {
    const stat = this.find(from);
    const victim = this.find(to);
    const result = this.changes.rename(from, to);
    if (result !== 0 || stat === undefined) return result;
    const cookie = this.inotify.cookie();
    const flag = isDirectory(stat) ? IN.ISDIR : 0;
    this.tellDirectory(from, IN.MOVED_FROM | flag, cookie);
    this.tellDirectory(to, IN.MOVED_TO | flag, cookie);
    this.tellSelf(stat, IN.MOVE_SELF);
    if (victim !== undefined && victim.links <= 1) this.tellSelf(victim, IN.DELETE_SELF);
    return result;
  }

  private changedAttributes(result: number, path: string): number {
    const stat = result === 0 ? this.find(path) : undefined;
    if (stat === undefined) return result;
    const flag = isDirectory(stat) ? IN.ISDIR : 0;
    this.tellDirectory(path, IN.ATTRIB | flag);
    this.tellSelf(stat, IN.ATTRIB | flag);
    return result;
  }

  chmod(path: string, mode: number): number {
    return this.changedAttributes(this.changes.chmod(path, mode), path);
  }

  chown(path: string, uid: number, gid: number): number {
    return this.changedAttributes(this.changes.chown(path, uid, gid), path);
  }

  utimes(path: string, accessed: NewTime, modified: NewTime): number {
    return this.changedAttributes(this.changes.utimes(path, accessed, modified), path);
  }

  access(path: string, mode: number): number {
    return this.changes.access(path, mode);
  }
}
