/** stat(2) and its kin, access(2), statfs(2) (fs/stat.c, fs/open.c, fs/statfs.c). */
import { NS_PER_SECOND } from '../../../types.js';
import { EACCES, EBADF, EFAULT, EINVAL, ENOENT } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { anyFileAt } from './descriptors.js';
import { deviceNumbers } from './device-number.js';
import { type FileSystemStat, innerPath, type Mount } from './file-system.js';
import { AT, type Located, locateAt } from './path-walk.js';
import { MAY, permits } from './permission.js';
import { type FileStat, isDirectory, isLink } from './stat.js';

const SECOND = BigInt(NS_PER_SECOND);

/** struct stat, 144 bytes. */
function statBytes(stat: FileStat): Uint8Array {
  const view = new DataView(new ArrayBuffer(144));
  const put = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), true);
  put(0, stat.device);
  put(8, stat.inode);
  put(16, stat.links);
  view.setUint32(24, stat.mode, true);
  view.setUint32(28, stat.uid, true);
  view.setUint32(32, stat.gid, true);
  put(40, stat.rdevice);
  put(48, stat.size);
  put(56, stat.blockSize);
  put(64, stat.blocks);
  [stat.accessed, stat.modified, stat.changed].forEach((time, i) => {
    putTime(view, 72 + 16 * i, time);
  });
  return new Uint8Array(view.buffer);
}

/** Whole seconds rounded down, and ns. */
function putTime(view: DataView, at: number, time: bigint): void {
  const ns = ((time % SECOND) + SECOND) % SECOND;
  view.setBigInt64(at, (time - ns) / SECOND, true);
  view.setBigInt64(at + 8, ns, true);
}

/** The stat of what was found; -ENOENT when there is nothing. */
export function statOf(found: Located | number): FileStat | number {
  return typeof found === 'number' ? found : (found.stat ?? -ENOENT);
}

function answer({ memory }: SyscallContext, at: number, stat: FileStat | number): number {
  if (typeof stat === 'number') return stat;
  return memory.writeBytes(at, statBytes(stat)) ? 0 : -EFAULT;
}

function statPath(context: SyscallContext, follow: boolean): number {
  const [path, at] = context.args as [number, number];
  return answer(context, at, statOf(locateAt(context, AT.FDCWD, path, 0, { follow })));
}

function fstat(context: SyscallContext): number {
  return answer(context, context.args[1] as number, anyFileAt(context)?.stat() ?? -EBADF);
}

function newfstatat(context: SyscallContext): number {
  const [directory, path, at, flags] = context.args as [number, number, number, number];
  if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH)) return -EINVAL;
  const follow = !(flags & AT.SYMLINK_NOFOLLOW);
  return answer(context, at, statOf(locateAt(context, directory | 0, path, flags, { follow })));
}

const AT_STATX_SYNC_TYPE = 0x6000;
/** STATX_BASIC_STATS, STATX_BTIME, STATX_MNT_ID. */
const STATX_GIVEN = 0x1fff;
const STATX_RESERVED = 0x8000_0000;
const STATX_ATTR_MOUNT_ROOT = 0x2000n;

function statx(context: SyscallContext): number {
  const [directory, path, flags, mask, at] = context.args as [number, number, number, number, number];
  if (flags & ~(AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH | AT_STATX_SYNC_TYPE)) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE || mask & STATX_RESERVED) return -EINVAL;
  const follow = !(flags & AT.SYMLINK_NOFOLLOW);
  const found = locateAt(context, directory | 0, path, flags, { follow });
  const stat = statOf(found);
  if (typeof stat === 'number' || typeof found === 'number') return stat as number;
  return context.memory.writeBytes(at, statxBytes(stat, found)) ? 0 : -EFAULT;
}

/** struct statx, 256 bytes. */
function statxBytes(stat: FileStat, { mount, inner, file }: Located): Uint8Array {
  const view = new DataView(new ArrayBuffer(256));
  const put = (at: number, value: number): void => view.setBigInt64(at, BigInt(value), true);
  const isRoot = inner === '/' && file === undefined;
  view.setUint32(0, STATX_GIVEN, true);
  view.setUint32(4, stat.blockSize, true);
  view.setBigUint64(8, isRoot ? STATX_ATTR_MOUNT_ROOT : 0n, true);
  view.setUint32(16, stat.links, true);
  view.setUint32(20, stat.uid, true);
  view.setUint32(24, stat.gid, true);
  view.setUint16(28, stat.mode, true);
  put(32, stat.inode);
  put(40, stat.size);
  put(48, stat.blocks);
  view.setBigUint64(56, STATX_ATTR_MOUNT_ROOT, true);
  [stat.accessed, stat.born, stat.changed, stat.modified].forEach((time, i) => {
    putTime(view, 64 + 16 * i, time);
  });
  putDevice(view, 128, stat.rdevice);
  putDevice(view, 136, stat.device);
  put(144, mount.id);
  return new Uint8Array(view.buffer);
}

function putDevice(view: DataView, at: number, device: number): void {
  const [major, minor] = deviceNumbers(device);
  view.setUint32(at, major, true);
  view.setUint32(at + 4, minor, true);
}

/** access(2) asks for the real ids; AT_EACCESS for those that open(2) uses. */
function access(context: SyscallContext, directory: number, path: number, mode: number, flags = 0): number {
  if (mode & ~7 || flags & ~(AT.EACCESS | AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) return -EINVAL;
  const follow = !(flags & AT.SYMLINK_NOFOLLOW);
  const found = locateAt(context, directory, path, flags, { follow });
  const stat = statOf(found);
  if (typeof stat === 'number' || typeof found === 'number') return stat as number;
  return mayAccess(context, found, stat, mode, (flags & AT.EACCESS) !== 0);
}

function faccessat(context: SyscallContext, flags: number): number {
  const [directory, path, mode] = context.args as [number, number, number];
  return access(context, directory | 0, path, mode | 0, flags);
}

function mayAccess(
  { machine, process }: SyscallContext,
  found: Located,
  stat: FileStat,
  mode: number,
  effective: boolean,
): number {
  const { credentials } = process;
  if (mode === 0) return 0;
  const { ruid, rgid, capabilities } = credentials;
  // The real user's capabilities: all for root, none for others (access_override_creds).
  const overriding = ruid === 0 ? capabilities.permitted : 0n;
  const asker = effective
    ? credentials
    : { ...credentials, fsuid: ruid, fsgid: rgid, capabilities: { ...capabilities, effective: overriding } };
  const isHostUser = asker.fsuid === machine.host.inputs.uid && asker.fsgid === machine.host.inputs.gid;
  const { changes } = found.mount.fs;
  if (isHostUser && changes !== undefined && found.file === undefined && !isLink(stat)) {
    return changes.access(found.inner, mode);
  }
  if (mode & MAY.WRITE && changes === undefined && isDirectory(stat)) return -EACCES;
  return permits(asker, stat, mode) ? 0 : -EACCES;
}

/** struct statfs, 120 bytes. */
function statfsBytes(stat: FileSystemStat, { id }: Mount): Uint8Array {
  const view = new DataView(new ArrayBuffer(120));
  const values = [stat.type, stat.blockSize, stat.blocks, stat.free, stat.available, stat.files, stat.freeFiles];
  values.forEach((value, i) => {
    view.setBigUint64(8 * i, BigInt(value), true);
  });
  view.setUint32(56, id, true);
  view.setBigUint64(64, NAME_MAX, true);
  view.setBigUint64(72, BigInt(stat.blockSize), true);
  view.setBigUint64(80, ST_VALID | ST_RELATIME, true);
  return new Uint8Array(view.buffer);
}

const NAME_MAX = 255n;
const ST_VALID = 0x20n;
const ST_RELATIME = 0x1000n;

function answerStatfs(context: SyscallContext, at: number, mount: Mount, inner: string): number {
  const stat = mount.fs.statfs(inner);
  if (typeof stat === 'number') return stat;
  return context.memory.writeBytes(at, statfsBytes(stat, mount)) ? 0 : -EFAULT;
}

function statfs(context: SyscallContext): number {
  const [path, at] = context.args as [number, number];
  const found = locateAt(context, AT.FDCWD, path, 0, { follow: true });
  if (typeof found === 'number') return found;
  return found.stat === undefined ? -ENOENT : answerStatfs(context, at, found.mount, found.inner);
}

/** A file without a name lies in a file system without a mount: the numbers of the machine's tmpfs (shmem, pipefs). */
function fstatfs(context: SyscallContext): number {
  const file = anyFileAt(context);
  const at = context.args[1] as number;
  if (file === undefined) return -EBADF;
  if (file.path !== undefined) {
    const mount = context.machine.mounts.find(file.path);
    return answerStatfs(context, at, mount, innerPath(mount, file.path));
  }
  const bytes = statfsBytes({ ...NO_BLOCKS, type: file.isRegular ? TMPFS_MAGIC : ANON_INODE_MAGIC }, NO_MOUNT);
  return context.memory.writeBytes(at, bytes) ? 0 : -EFAULT;
}

export const TMPFS_MAGIC = 0x0102_1994;
const ANON_INODE_MAGIC = 0x0904_1934;
/** What a synthetic file system answers: it takes no room. */
export const NO_BLOCKS = { blockSize: 4096, blocks: 0, free: 0, available: 0, files: 0, freeFiles: 0 } as const;
const NO_MOUNT = { id: 0 } as Mount;

export const statSyscalls: readonly SyscallRow[] = [
  { nr: 4, name: 'stat', run: (context) => statPath(context, true) },
  { nr: 5, name: 'fstat', run: fstat },
  { nr: 6, name: 'lstat', run: (context) => statPath(context, false) },
  {
    nr: 21,
    name: 'access',
    run: (context) => access(context, AT.FDCWD, context.args[0] as number, (context.args[1] as number) | 0),
  },
  { nr: 137, name: 'statfs', run: statfs },
  { nr: 138, name: 'fstatfs', run: fstatfs },
  { nr: 262, name: 'newfstatat', run: newfstatat },
  { nr: 269, name: 'faccessat', run: (context) => faccessat(context, 0) },
  { nr: 332, name: 'statx', run: statx },
  { nr: 439, name: 'faccessat2', run: (context) => faccessat(context, context.args[3] as number) },
];
