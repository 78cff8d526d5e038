/** File systems whose content is computed: /proc, /sys, /dev. A tree of nodes that are made when somebody looks; nothing of them is kept. */
import { exactNs } from '../../clock.js';
import { pathBytes } from '../../host/path-text.js';
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { EACCES, EINVAL, ENOENT, ENOTDIR, EPERM } from '../errno.js';
import type { AttributeChanges, FileSystem, FileSystemStat, Opener, OpenFileRequest } from './file-system.js';
import { seekTo } from './host-file.js';
import { OpenDirectory } from './open-directory.js';
import { type DirectoryEntry, O, OpenFile, statusFlags } from './open-file.js';
import { parentOf } from './path-walk.js';
import { MAY, permits } from './permission.js';
import { directoryType, type FileStat, S } from './stat.js';

interface Owned {
  /** Permission bits. */
  readonly mode?: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Bytes, as stat tells; 0 when it is not said. */
  readonly size?: number;
}

export interface DirectoryNode extends Owned {
  readonly kind: 'directory';
  names(): Iterable<string>;
  child(name: string): SyntheticNode | undefined;
}

/** A link; with `jump` it leads to a thing and not to its text. */
export interface LinkNode extends Owned {
  readonly kind: 'link';
  readonly target: string | number;
  readonly jump?: OpenFile | string | number;
}

/** Text that is made when it is read from its beginning, and what writing does. Both may answer -errno. */
export interface TextNode extends Owned {
  readonly kind: 'text';
  read?(): string | Uint8Array | number;
  write?(bytes: Uint8Array): number;
}

/** Something that opens in a way of its own. */
export interface SpecialNode extends Owned {
  readonly kind: 'special';
  /** S.IFCHR or S.IFREG. */
  readonly type: number;
  readonly rdevice?: number;
  open(opener: Opener, flags: number, path: string): OpenFile | number;
  /** Absent: they stay as they are (-EPERM). */
  readonly attributes?: Pick<OpenFile, 'setMode' | 'setOwner'>;
}

export type SyntheticNode = DirectoryNode | LinkNode | TextNode | SpecialNode;

/** A directory whose entries are known. */
export function fixedDirectory(entries: Readonly<Record<string, SyntheticNode>>, owned: Owned = {}): DirectoryNode {
  return {
    kind: 'directory',
    ...owned,
    names: () => Object.keys(entries),
    child: (name) => (Object.hasOwn(entries, name) ? entries[name] : undefined),
  };
}

/** What a synthetic file system is known by. */
export interface SyntheticIdentity {
  readonly type: string;
  /** f_type of statfs(2). */
  readonly magic: number;
  readonly device: number;
  /** st_blksize, from which stdio takes the size of its buffers: s_blocksize, a page when it is not said. */
  readonly ioSize?: number;
  /** What making a name answers; -EACCES when it is not said. */
  readonly creationError?: number;
}

const TYPES = { directory: S.IFDIR, link: S.IFLNK, text: S.IFREG } as const;
const DEFAULT_MODES = { directory: 0o555, link: 0o777, text: 0o444, special: 0o666 } as const;
const ROOT_OWNER = { uid: 0, gid: 0 } as const;

export class SyntheticFileSystem implements FileSystem {
  readonly type: string;
  readonly creationError: number;

  constructor(
    private readonly machine: Machine,
    private readonly identity: SyntheticIdentity,
    /** The root, for who looks. */
    private readonly root: (viewer: Process) => DirectoryNode,
  ) {
    this.type = identity.type;
    this.creationError = identity.creationError ?? -EACCES;
  }

  /** -ENOENT, -ENOTDIR. */
  find(path: string, viewer: Process): SyntheticNode | number {
    let node: SyntheticNode | undefined = this.root(viewer);
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (node.kind !== 'directory') return -ENOTDIR;
      node = node.child(name);
      if (node === undefined) return -ENOENT;
    }
    return node;
  }

  lstat(path: string, viewer: Process): FileStat | number {
    const node = this.find(path, viewer);
    return typeof node === 'number' ? node : this.statOf(node, path);
  }

  statOf(node: SyntheticNode, path: string): FileStat {
    const born = exactNs(this.machine.config.epoch);
    const { uid, gid } = node.owner ?? ROOT_OWNER;
    return {
      device: this.identity.device,
      inode: inodeOf(path),
      mode: modeOf(node),
      links: 1,
      uid,
      gid,
      rdevice: node.kind === 'special' ? (node.rdevice ?? 0) : 0,
      size: node.size ?? 0,
      blockSize: this.identity.ioSize ?? 4096,
      blocks: 0,
      accessed: born,
      modified: born,
      changed: born,
      born,
    };
  }

  readlink(path: string, viewer: Process): string | number {
    const node = this.find(path, viewer);
    if (typeof node === 'number') return node;
    return node.kind === 'link' ? node.target : -EINVAL;
  }

  jump(path: string, viewer: Process): OpenFile | string | number | undefined {
    const node = this.find(path, viewer);
    return typeof node === 'object' && node.kind === 'link' ? node.jump : undefined;
  }

  open({ opener, path, fullPath, flags }: OpenFileRequest): OpenFile | number {
    const { machine, process } = opener;
    const node = this.find(path, process);
    if (typeof node === 'number') return node;
    if (node.kind === 'special') return node.open(opener, flags, fullPath);
    const shown = statusFlags(flags);
    if (node.kind === 'directory') {
      return new SyntheticDirectory(machine, shown, this, path, fullPath, process);
    }
    if (node.kind === 'link') return -ENOENT;
    const access = flags & O.ACCMODE;
    const mask = (access === O.WRONLY ? 0 : MAY.READ) | (access === O.RDONLY ? 0 : MAY.WRITE);
    if (!permits(process.credentials, this.statOf(node, path), mask)) return -EACCES;
    return new SyntheticFile(machine, shown, this, path, fullPath, process);
  }

  readonly attributes: AttributeChanges = {
    chmod: (path, mode) => this.attributesOf(path)?.setMode(mode) ?? -EPERM,
    chown: (path, uid, gid) => this.attributesOf(path)?.setOwner(uid, gid) ?? -EPERM,
    utimes: () => -EPERM,
  };

  private attributesOf(path: string): SpecialNode['attributes'] {
    const { root } = this.machine;
    const node = root === undefined ? undefined : this.find(path, root);
    return typeof node === 'object' && node.kind === 'special' ? node.attributes : undefined;
  }

  statfs(): FileSystemStat {
    return { type: this.identity.magic, blockSize: 4096, blocks: 0, free: 0, available: 0, files: 0, freeFiles: 0 };
  }
}

function modeOf(node: SyntheticNode): number {
  const type = node.kind === 'special' ? node.type : TYPES[node.kind];
  return type | (node.mode ?? DEFAULT_MODES[node.kind]);
}

/** A number that is always the same for a path: FNV-1a, 32 bits. */
function inodeOf(path: string): number {
  let hash = 0x811c_9dc5;
  for (const byte of pathBytes(path)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return (hash >>> 0) + 1;
}

/** An open text: what it says stays the same until it is read from the beginning again. */
class SyntheticFile extends OpenFile {
  override path: string;
  private content: Uint8Array | undefined;

  constructor(
    machine: Machine,
    flags: number,
    private readonly fs: SyntheticFileSystem,
    private readonly inner: string,
    path: string,
    private readonly opener: Process,
  ) {
    super(machine, flags);
    this.path = path;
  }

  name(): string {
    return this.path;
  }

  stat(): FileStat | number {
    return this.fs.lstat(this.inner, this.opener);
  }

  override get isSeekable(): boolean {
    return true;
  }

  override read(into: Uint8Array): number {
    const got = this.pread(into, this.offset);
    if (got > 0) this.offset += got;
    return got;
  }

  override pread(into: Uint8Array, at: number): number {
    if (at === 0 || this.content === undefined) {
      const node = this.fs.find(this.inner, this.opener);
      // The process that it tells of is gone.
      if (typeof node === 'number' || node.kind !== 'text') return -ENOENT;
      const text = node.read?.() ?? -EINVAL;
      if (typeof text === 'number') return text;
      this.content = typeof text === 'string' ? pathBytes(text) : text;
    }
    const part = this.content.subarray(at, at + into.length);
    into.set(part);
    return part.length;
  }

  override write(from: Uint8Array): number {
    const node = this.fs.find(this.inner, this.opener);
    if (typeof node === 'number' || node.kind !== 'text') return -ENOENT;
    const put = node.write?.(from) ?? -EINVAL;
    if (put > 0) this.offset += put;
    return put;
  }

  override pwrite(from: Uint8Array): number {
    return this.write(from);
  }

  override seek(offset: number, whence: number): number {
    const to = whence === 2 ? -EINVAL : seekTo(this.offset, 0, offset, whence);
    if (to >= 0) this.offset = to;
    return to;
  }

  /** Opening for writing truncates: there is nothing to do. */
  override truncate(): number {
    return 0;
  }
}

class SyntheticDirectory extends OpenDirectory {
  override path: string;
  private names: readonly string[] = [];

  constructor(
    machine: Machine,
    flags: number,
    private readonly fs: SyntheticFileSystem,
    private readonly inner: string,
    path: string,
    private readonly opener: Process,
  ) {
    super(machine, flags);
    this.path = path;
  }

  name(): string {
    return this.path;
  }

  stat(): FileStat | number {
    return this.fs.lstat(this.inner, this.opener);
  }

  override entries(limit: number): readonly DirectoryEntry[] | number {
    if (this.offset === 0) {
      const node = this.fs.find(this.inner, this.opener);
      if (typeof node === 'number' || node.kind !== 'directory') return -ENOENT;
      this.names = ['.', '..', ...node.names()];
    }
    return this.names.slice(this.offset, this.offset + limit).map((name, i) => {
      const { inode, mode } = this.entryStat(name);
      return { name: pathBytes(name), inode, type: directoryType(mode), next: this.offset + i + 1 };
    });
  }

  private entryStat(name: string): { readonly inode: number; readonly mode: number } {
    const { inner } = this;
    const path =
      name === '.' ? inner : name === '..' ? parentOf(inner) : inner === '/' ? `/${name}` : `${inner}/${name}`;
    const stat = this.fs.lstat(path, this.opener);
    return typeof stat === 'number' ? { inode: inodeOf(path), mode: 0 } : stat;
  }
}
