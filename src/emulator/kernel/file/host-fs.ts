/** The host's files and directories as the guest sees them, through the gateway. */
import type { HostFiles } from '../../host/host.js';
import type { Machine } from '../../machine.js';
import type { FileSystem, FileSystemChanges, FileSystemStat, NewTime, OpenFileRequest } from './file-system.js';
import { HostDirectory } from './host-directory.js';
import { HostFile } from './host-file.js';
import { tellEntry } from './inotify-news.js';
import { IN } from './inotify-table.js';
import { O, type OpenFile, statusFlags } from './open-file.js';
import { type FileStat, isDirectory } from './stat.js';
import { WatchedChanges } from './watched-changes.js';

export class HostFileSystem implements FileSystem {
  readonly type = 'ext4';
  readonly changes: FileSystemChanges;
  private readonly files: HostFiles;

  /** Paths are the same in the machine and for the gateway. */
  constructor({ host: { files }, inotify }: Machine) {
    this.files = files;
    const changes = new HostChanges(files);
    this.changes = new WatchedChanges(changes, inotify, (path) => this.lstat(path));
  }

  lstat(path: string): FileStat | number {
    return this.files.lstat(path);
  }

  readlink(path: string): string | number {
    return this.files.readlink(path);
  }

  statfs(path: string): FileSystemStat | number {
    return this.files.statfs(path);
  }

  open({ opener: { machine }, fullPath: path, flags, mode, umask }: OpenFileRequest): OpenFile | number {
    const isNew = flags & O.CREAT && !machine.inotify.isEmpty && typeof this.files.lstat(path) === 'number';
    const handle = this.files.open({ path, flags, mode, umask });
    if (handle < 0) return handle;
    if (isNew) tellEntry(machine, path, IN.CREATE);
    const stat = this.files.fstat(handle);
    if (typeof stat === 'number') {
      this.files.close(handle);
      return stat;
    }
    const shown = statusFlags(flags);
    if (isDirectory(stat)) return new HostDirectory(machine, shown, handle, path);
    return new HostFile(machine, shown, { handle, path, stat, flags, isTruncated: (flags & O.TRUNC) !== 0 && !isNew });
  }
}

class HostChanges implements FileSystemChanges {
  constructor(private readonly files: HostFiles) {}

  mkdir(path: string, mode: number, umask: number): number {
    return this.files.mkdir(path, mode, umask);
  }
  mknod(path: string, type: number, mode: number, umask: number): number {
    return this.files.mknod(path, type, mode, umask);
  }
  rmdir(path: string): number {
    return this.files.rmdir(path);
  }
  unlink(path: string): number {
    return this.files.unlink(path);
  }
  rename(from: string, to: string): number {
    return this.files.rename(from, to);
  }
  link(from: string, to: string): number {
    return this.files.link(from, to);
  }
  symlink(target: string, path: string): number {
    return this.files.symlink(target, path);
  }
  chmod(path: string, mode: number): number {
    return this.files.chmod(path, mode);
  }
  chown(path: string, uid: number, gid: number): number {
    return this.files.chown(path, uid, gid);
  }
  utimes(path: string, accessed: NewTime, modified: NewTime): number {
    return this.files.utimes(path, accessed, modified);
  }
  access(path: string, mode: number): number {
    return this.files.access(path, mode);
  }
}
