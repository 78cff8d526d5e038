/** A file system in memory (mm/shmem.c): /dev/shm, where programs share memory and semaphores by name. Part of the machine: nothing of it reaches the host. */
import { pathBytes } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import { EACCES, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, ENXIO } from '../errno.js';
import { credentialsOf } from '../root.js';
import { anonymousStat } from './anonymous.js';
import type { FileSystem, FileSystemChanges, FileSystemStat, NewTime, OpenFileRequest } from './file-system.js';
import { MemoryFile, MemoryInode } from './memory-file.js';
import { presentOf, setMemoryTimes } from './memory-times.js';
import { OpenDirectory } from './open-directory.js';
import { type DirectoryEntry, O, type OpenFile, statusFlags } from './open-file.js';
import { parentOf } from './path-walk.js';
import { MAY, permits } from './permission.js';
import { directoryType, type FileStat, S } from './stat.js';
import { WatchedChanges } from './watched-changes.js';

const TMPFS_MAGIC = 0x0102_1994;
const DEVICE = 24;
const PAGE = 4096;

/** Directories, links, and the nodes of FIFOs and sockets. */
interface Plain {
  readonly inode: number;
  /** With the type. */
  mode: number;
  uid: number;
  gid: number;
  links: number;
  accessed: bigint;
  modified: bigint;
  readonly entries: Map<string, Node> | undefined;
  readonly target: string | undefined;
}

type Node = Plain | MemoryInode;

export class MemoryFileSystem implements FileSystem {
  readonly type = 'tmpfs';
  readonly changes: FileSystemChanges;
  private readonly root: Plain;

  constructor(private readonly machine: Machine) {
    this.root = makePlain(machine, S.IFDIR | 0o1777, { entries: new Map() });
    this.changes = new WatchedChanges(new MemoryChanges(machine, this), machine.inotify, (path) => this.lstat(path));
  }

  /** -ENOENT, -ENOTDIR. */
  find(path: string): Node | number {
    let node: Node = this.root;
    for (const name of path.split('/')) {
      if (name === '') continue;
      const entries = entriesOf(node);
      if (entries === undefined) return -ENOTDIR;
      const next = entries.get(name);
      if (next === undefined) return -ENOENT;
      node = next;
    }
    return node;
  }

  lstat(path: string): FileStat | number {
    const node = this.find(path);
    return typeof node === 'number' ? node : statOfNode(this.machine, node);
  }

  readlink(path: string): string | number {
    const node = this.find(path);
    if (typeof node === 'number') return node;
    return node instanceof MemoryInode ? -EINVAL : (node.target ?? -EINVAL);
  }

  open({ opener, path, fullPath, flags, mode, umask }: OpenFileRequest): OpenFile | number {
    const found = this.find(path);
    if (typeof found === 'number')
      return found === -ENOENT && flags & O.CREAT ? this.create(path, fullPath, flags, mode & ~umask) : found;
    const access = flags & O.ACCMODE;
    const writes = access !== O.RDONLY || (flags & O.TRUNC) !== 0;
    const mask = (access === O.WRONLY ? 0 : MAY.READ) | (writes ? MAY.WRITE : 0);
    if (!permits(opener.process.credentials, statOfNode(this.machine, found), mask)) return -EACCES;
    if (found instanceof MemoryInode) return openInode(this.machine, found, flags, fullPath);
    if (found.entries === undefined) return -ENXIO;
    return writes ? -EISDIR : new MemoryDirectory(this.machine, statusFlags(flags), found, fullPath);
  }

  private create(path: string, fullPath: string, flags: number, mode: number): OpenFile | number {
    const entries = this.directory(path);
    if (typeof entries === 'number') return entries;
    const { uid, gid } = this.machine.host.inputs;
    const made = new MemoryInode(this.machine, {
      path: fullPath,
      device: DEVICE,
      mode,
      uid,
      gid,
      links: 1,
      sealed: true,
    });
    entries.set(nameOf(path), made);
    return openInode(this.machine, made, flags, fullPath);
  }

  /** The entries of the directory that a name lies in. */
  directory(path: string): Map<string, Node> | number {
    const parent = this.find(parentOf(path));
    if (typeof parent === 'number') return parent;
    return entriesOf(parent) ?? -ENOTDIR;
  }

  statfs(): FileSystemStat {
    const blocks = Math.floor(this.machine.config.maxMemory / 2 / PAGE);
    const free = Math.min(blocks, Math.floor(this.machine.freeMemory() / PAGE));
    return { type: TMPFS_MAGIC, blockSize: PAGE, blocks, free, available: free, files: blocks, freeFiles: blocks };
  }
}

function entriesOf(node: Node): Map<string, Node> | undefined {
  return node instanceof MemoryInode ? undefined : node.entries;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function makePlain(machine: Machine, mode: number, what: Partial<Pick<Plain, 'entries' | 'target'>>): Plain {
  const { uid, gid } = machine.host.inputs;
  const now = presentOf(machine);
  const links = what.entries === undefined ? 1 : 2;
  const { entries, target } = what;
  return { inode: machine.newWaitKey(), mode, uid, gid, links, accessed: now, modified: now, entries, target };
}

function statOfNode(machine: Machine, node: Node): FileStat {
  if (node instanceof MemoryInode) return node.stat();
  const { inode, mode, links, accessed, modified, target } = node;
  const size = target === undefined ? 0 : pathBytes(target).length;
  const base = anonymousStat(machine, inode, mode, node);
  return { ...base, device: DEVICE, links, size, accessed, modified, changed: modified };
}

function openInode(machine: Machine, inode: MemoryInode, flags: number, path: string): MemoryFile {
  const file = new MemoryFile(machine, statusFlags(flags), inode, path);
  if (flags & O.TRUNC) file.truncate(0);
  return file;
}

/** The kernel side has seen to names that must be free or there, types, and rights. */
class MemoryChanges implements FileSystemChanges {
  constructor(
    private readonly machine: Machine,
    private readonly fs: MemoryFileSystem,
  ) {}

  mkdir(path: string, mode: number, umask: number): number {
    return this.put(path, makePlain(this.machine, S.IFDIR | (mode & ~umask), { entries: new Map() }));
  }

  mknod(path: string, type: number, mode: number, umask: number): number {
    return this.put(path, makePlain(this.machine, type | (mode & ~umask), {}));
  }

  symlink(target: string, path: string): number {
    return this.put(path, makePlain(this.machine, S.IFLNK | 0o777, { target }));
  }

  link(from: string, to: string): number {
    const node = this.fs.find(from);
    if (typeof node === 'number') return node;
    const result = this.put(to, node);
    if (result === 0) node.links++;
    return result;
  }

  rmdir(path: string): number {
    const node = this.fs.find(path);
    if (typeof node === 'number') return node;
    const entries = entriesOf(node);
    if (entries === undefined) return -ENOTDIR;
    return entries.size > 0 ? -ENOTEMPTY : this.remove(path);
  }

  unlink(path: string): number {
    return this.remove(path);
  }

  rename(from: string, to: string): number {
    const node = this.fs.find(from);
    if (typeof node === 'number') return node;
    const target = this.fs.find(to);
    if (typeof target === 'object' && (entriesOf(target)?.size ?? 0) > 0) return -ENOTEMPTY;
    if (typeof target === 'object') this.remove(to);
    const source = this.fs.directory(from);
    if (typeof source === 'number') return source;
    source.delete(nameOf(from));
    moveNames(node, from.length, to);
    return this.put(to, node);
  }

  chmod(path: string, mode: number): number {
    return this.change(path, (node) => {
      node.mode = (node.mode & S.IFMT) | mode;
    });
  }

  chown(path: string, uid: number, gid: number): number {
    return this.change(path, (node) => {
      if (uid !== -1) node.uid = uid;
      if (gid !== -1) node.gid = gid;
    });
  }

  utimes(path: string, accessed: NewTime, modified: NewTime): number {
    return this.change(path, (node) => setMemoryTimes(this.machine, node, accessed, modified));
  }

  access(path: string, mode: number): number {
    const stat = this.fs.lstat(path);
    if (typeof stat === 'number') return stat;
    const { uid, gid, groups } = this.machine.host.inputs;
    return permits(credentialsOf(uid, gid, groups), stat, mode) ? 0 : -EACCES;
  }

  private change(path: string, how: (node: Node) => void): number {
    const node = this.fs.find(path);
    if (typeof node === 'number') return node;
    how(node);
    return 0;
  }

  private put(path: string, node: Node): number {
    const entries = this.fs.directory(path);
    if (typeof entries === 'number') return entries;
    entries.set(nameOf(path), node);
    this.touch(path);
    return 0;
  }

  private remove(path: string): number {
    const entries = this.fs.directory(path);
    if (typeof entries === 'number') return entries;
    const node = entries.get(nameOf(path));
    if (node === undefined) return -ENOENT;
    entries.delete(nameOf(path));
    node.links -= entriesOf(node) === undefined ? 1 : 2;
    if (node instanceof MemoryInode && node.links === 0) node.path += ' (deleted)';
    this.touch(path);
    return 0;
  }

  /** The directory of the name has changed. */
  private touch(path: string): void {
    this.change(parentOf(path), (node) => {
      node.modified = presentOf(this.machine);
    });
  }
}

/** Files know their path: `length` characters at the end of the renamed one's, and as many in front of what lies below it, become `to`. */
function moveNames(node: Node, length: number, to: string, below = ''): void {
  if (node instanceof MemoryInode) node.path = node.path.slice(0, -(length + below.length)) + to + below;
  for (const [name, entry] of entriesOf(node) ?? []) moveNames(entry, length, to, `${below}/${name}`);
}

class MemoryDirectory extends OpenDirectory {
  override path: string;
  private names: readonly string[] = [];

  constructor(
    machine: Machine,
    flags: number,
    private readonly node: Plain,
    path: string,
  ) {
    super(machine, flags);
    this.path = path;
  }

  name(): string {
    return this.node.links === 0 ? `${this.path} (deleted)` : this.path;
  }

  stat(): FileStat {
    return statOfNode(this.machine, this.node);
  }

  override sync(): number {
    return 0;
  }

  override entries(limit: number): readonly DirectoryEntry[] {
    if (this.offset === 0) this.names = ['.', '..', ...(this.node.entries?.keys() ?? [])];
    return this.names.slice(this.offset, this.offset + limit).map((name, i) => {
      const entry = this.node.entries?.get(name) ?? this.node;
      const type = directoryType(entry.mode);
      return { name: pathBytes(name), inode: entry.inode, type, next: this.offset + i + 1 };
    });
  }
}
