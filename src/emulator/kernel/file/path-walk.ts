/** From a path to what it names (fs/namei.c): links are followed here, inside the process's root; file systems see resolved paths only. */
import { pathText } from '../../host/path-text.js';
import type { Process } from '../../process.js';
import { EACCES, EBADF, EFAULT, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, EXDEV } from '../errno.js';
import type { SyscallContext } from '../syscall-table.js';
import { innerPath, type Mount } from './file-system.js';
import { filesOf } from './file-table.js';
import { OpenFile } from './open-file.js';
import { maySearch } from './permission.js';
import { type FileStat, isDirectory, isLink } from './stat.js';

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  EACCESS: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
} as const;

/** openat2(2)'s limits of a walk. */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16, CACHED: 32 } as const;

const PATH_MAX = 4096;
const MAX_LINKS = 40;

/** What a path names. */
export interface Located {
  /** Absolute in the machine, without links. */
  readonly path: string;
  readonly mount: Mount;
  /** The path within the mount. */
  readonly inner: string;
  /** undefined: the directory is there, the name is not. */
  readonly stat: FileStat | undefined;
  /** The path ended in a slash: only a directory will do. */
  readonly mustBeDirectory: boolean;
  /** What the path's last part was. */
  readonly last: 'name' | 'dot' | 'dotdot' | 'root';
  /** A thing without a name, found by a magic link or AT_EMPTY_PATH: its methods count, not the path. */
  readonly file?: OpenFile;
}

export interface WalkOptions {
  /** Follow a link in the last part; 'never': not even before a slash at the end, since the name itself is made or removed. */
  readonly follow: boolean | 'never';
  /** RESOLVE bits. */
  readonly resolve?: number;
}

/** The text of a path argument: -EFAULT, -ENAMETOOLONG; may be empty. */
export function pathArgument({ memory }: SyscallContext, at: number): string | number {
  const bytes = memory.readCString(at, PATH_MAX);
  if (bytes === undefined) return -EFAULT;
  return bytes === 'too-long' ? -ENAMETOOLONG : pathText(bytes);
}

/** Where relative paths start: the working directory or the directory of a descriptor. */
function startOf(process: Process, directory: number): string | OpenFile | number {
  if (directory === AT.FDCWD) return process.fs.cwd;
  const file = filesOf(process).get(directory);
  return file === undefined ? -EBADF : file;
}

/**
 * What the path in the guest's memory names, from a directory descriptor on; or -errno. With AT_EMPTY_PATH in `flags` an empty one is the
 * descriptor itself.
 */
export function locateAt(
  context: SyscallContext,
  directory: number,
  at: number,
  flags: number,
  options: WalkOptions,
): Located | number {
  const path = pathArgument(context, at);
  return typeof path === 'number' ? path : locateText(context, directory, path, flags, options);
}

export function locateText(
  { machine, process }: Pick<SyscallContext, 'machine' | 'process'>,
  directory: number,
  path: string,
  flags: number,
  options: WalkOptions,
): Located | number {
  if (path === '' && !(flags & AT.EMPTY_PATH)) return -ENOENT;
  const walker = new PathWalk(machine, process, options);
  const isScoped = ((options.resolve ?? 0) & (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) !== 0;
  if (path.startsWith('/') && !isScoped) return walker.walk('/', path);
  const start = startOf(process, directory);
  if (typeof start === 'number') return start;
  if (typeof start === 'string') return path === '' ? walker.thing(start) : walker.walk(start, path);
  if (path === '') return walker.opened(start);
  const stat = start.stat();
  if (typeof stat === 'number' || !isDirectory(stat) || start.path === undefined) return -ENOTDIR;
  return walker.walk(start.path, path);
}

type Machine = SyscallContext['machine'];

/** One walk. */
class PathWalk {
  private links = 0;
  private readonly root: string;
  private readonly resolve: number;

  constructor(
    private readonly machine: Machine,
    private readonly process: Process,
    private readonly options: WalkOptions,
  ) {
    this.root = process.fs.root;
    this.resolve = options.resolve ?? 0;
  }

  /** What is at an absolute path without links. */
  thing(path: string, last: Located['last'] = 'name', mustBeDirectory = false): Located | number {
    const mount = this.machine.mounts.find(path);
    const inner = innerPath(mount, path);
    const stat = mount.fs.lstat(inner, this.process);
    if (typeof stat !== 'number') return { path, mount, inner, stat, mustBeDirectory, last };
    return stat === -ENOENT ? { path, mount, inner, stat: undefined, mustBeDirectory, last } : stat;
  }

  /** What a descriptor names: its methods count, and its path where there is one. */
  opened(file: OpenFile): Located | number {
    const stat = file.stat();
    if (typeof stat === 'number') return stat;
    const path = file.path ?? '/';
    const mount = this.machine.mounts.find(path);
    return { path, mount, inner: innerPath(mount, path), stat, mustBeDirectory: false, last: 'name', file };
  }

  /** `start`: an absolute path without links. */
  walk(start: string, path: string): Located | number {
    if (path.length >= PATH_MAX) return -ENAMETOOLONG;
    const scoped = this.resolve & (RESOLVE.BENEATH | RESOLVE.IN_ROOT);
    const root = scoped ? start : this.root;
    if (path.startsWith('/') && this.resolve & RESOLVE.BENEATH) return -EXDEV;
    return new Steps(this, root, path.startsWith('/') ? root : start, path).run();
  }

  get isBeneath(): boolean {
    return (this.resolve & RESOLVE.BENEATH) !== 0;
  }

  /** May the walk go from one mount to the other? */
  mayCross(from: Mount, to: Mount): boolean {
    return from === to || !(this.resolve & RESOLVE.NO_XDEV);
  }

  maySearch(stat: FileStat): boolean {
    return maySearch(this.machine, this.process, stat);
  }

  /** Is a link in the last part followed? */
  followsLast(mustBeDirectory: boolean): boolean {
    const { follow } = this.options;
    return follow === true || (follow === false && mustBeDirectory);
  }

  /** The caller judges what a slash at the end means. */
  get namesOnly(): boolean {
    return this.options.follow === 'never';
  }

  /** Where a link leads: text to go on with, an absolute path or a file to jump to, or -errno. */
  target({ mount, inner }: Located): { readonly text: string } | { readonly path: string } | OpenFile | number {
    if (++this.links > MAX_LINKS || this.resolve & RESOLVE.NO_SYMLINKS) return -ELOOP;
    const jump = mount.fs.jump?.(inner, this.process);
    if (jump !== undefined) {
      if (this.resolve & RESOLVE.NO_MAGICLINKS) return -ELOOP;
      if (this.resolve & (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) return -EXDEV;
      return typeof jump === 'string' ? { path: jump } : jump;
    }
    const text = mount.fs.readlink(inner, this.process);
    return typeof text === 'number' ? text : text === '' ? -ENOENT : { text };
  }
}

/** The parts that a walk has still before it. */
class Steps {
  private readonly rest: string[] = [];
  private at: Located | number;
  private mustBeDirectory = false;

  constructor(
    private readonly walk: PathWalk,
    private readonly root: string,
    start: string,
    path: string,
  ) {
    this.at = walk.thing(start, path.startsWith('/') ? 'root' : 'dot');
    this.push(path);
  }

  private push(path: string): void {
    const parts = path.split('/').filter((part) => part !== '');
    // Only the first text that is pushed, or one that stands last, says what the end must be.
    if (this.rest.length === 0 && path.endsWith('/')) this.mustBeDirectory = true;
    this.rest.push(...parts.reverse());
  }

  run(): Located | number {
    for (let isStart = true; this.rest.length > 0; isStart = false) {
      const { at } = this;
      if (typeof at === 'number') return at;
      const name = this.rest.pop() as string;
      // Out of a working directory that was removed there is a way up.
      if (at.stat === undefined && !(isStart && name === '..')) return -ENOENT;
      if (at.stat !== undefined && !isDirectory(at.stat)) return -ENOTDIR;
      if (at.stat !== undefined && !this.walk.maySearch(at.stat)) return -EACCES;
      const failure = this.step(at, name);
      if (failure !== 0) return failure;
    }
    return this.finish();
  }

  private finish(): Located | number {
    const { at, mustBeDirectory } = this;
    if (typeof at === 'number') return at;
    if (mustBeDirectory && !this.walk.namesOnly && at.stat !== undefined && !isDirectory(at.stat)) return -ENOTDIR;
    return { ...at, mustBeDirectory };
  }

  private step(directory: Located, name: string): number {
    if (name === '.') return this.go(directory, { ...directory, last: 'dot' });
    if (name === '..') return this.up(directory);
    const path = directory.path === '/' ? `/${name}` : `${directory.path}/${name}`;
    const next = this.walk.thing(path);
    if (typeof next === 'number') return next;
    const isLast = this.rest.length === 0;
    const follows = !isLast || this.walk.followsLast(this.mustBeDirectory);
    if (next.stat === undefined || !isLink(next.stat) || !follows) return this.go(directory, next);
    return this.follow(directory, next);
  }

  private up(directory: Located): number {
    if (directory.path === this.root) {
      return this.walk.isBeneath ? -EXDEV : this.go(directory, { ...directory, last: 'dotdot' });
    }
    return this.go(directory, this.walk.thing(parentOf(directory.path), 'dotdot'));
  }

  private follow(directory: Located, link: Located): number {
    const target = this.walk.target(link);
    if (typeof target === 'number') return target;
    if (target instanceof OpenFile) return this.go(directory, this.walk.opened(target));
    if ('path' in target) return this.go(directory, this.walk.thing(target.path));
    if (target.text.startsWith('/')) {
      if (this.walk.isBeneath) return -EXDEV;
      this.at = this.walk.thing(this.root, 'root');
    }
    this.push(target.text);
    return 0;
  }

  private go(from: Located, to: Located | number): number {
    if (typeof to !== 'number' && !this.walk.mayCross(from.mount, to.mount)) return -EXDEV;
    this.at = to;
    return typeof to === 'number' ? to : 0;
  }
}

/** The directory of an absolute path without links. */
export function parentOf(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut <= 0 ? '/' : path.slice(0, cut);
}

/** Is the path the directory itself or something below it? */
export function isBelow(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`);
}
