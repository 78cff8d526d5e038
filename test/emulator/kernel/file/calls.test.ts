/** System calls about files against the real kernel's answers. */
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { O } from '../../../../src/emulator/kernel/file/open-file.js';
import { buildRunner, type Call, expectTwins, type Region } from './twin.js';

const NR = {
  read: 0, write: 1, open: 2, close: 3, stat: 4, fstat: 5, lstat: 6, lseek: 8, ioctl: 16, pread: 17, pwrite: 18, readv: 19, writev: 20, access: 21, dup: 32, dup2: 33, sendfile: 40,
  fcntl: 72, flock: 73, fsync: 74, fdatasync: 75, truncate: 76, ftruncate: 77, getdents: 78, getcwd: 79, chdir: 80, fchdir: 81, rename: 82, mkdir: 83, rmdir: 84, creat: 85, link: 86,
  unlink: 87, symlink: 88, readlink: 89, chmod: 90, fchmod: 91, chown: 92, fchown: 93, lchown: 94, umask: 95, setrlimit: 160, utime: 132, mknod: 133, statfs: 137, fstatfs: 138, chroot: 161,
  sync: 162, readahead: 187, setxattr: 188, getxattr: 191, listxattr: 194, fadvise: 221, getdents64: 217, utimes: 235, openat: 257, mkdirat: 258, fchownat: 260, newfstatat: 262, unlinkat: 263,
  renameat: 264, linkat: 265, symlinkat: 266, readlinkat: 267, fchmodat: 268, faccessat: 269, splice: 275, tee: 276, utimensat: 280, fallocate: 285, dup3: 292, preadv: 295, renameat2: 316,
  memfd_create: 319, copy_file_range: 326, preadv2: 327, pwritev2: 328, statx: 332, openat2: 437, faccessat2: 439, close_range: 436, pipe2: 293, socketpair: 53,
} as const; // biome-ignore format: a table

const CWD = -100;
const A = 0x1_1000;
const B = 0x1_2000;

let directory: string;
let runner: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sidestep-runner-'));
  runner = buildRunner(directory);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What every case starts from. */
function prepare(root: string): void {
  writeFileSync(join(root, 'file'), 'contents\n', { mode: 0o644 });
  writeFileSync(join(root, 'empty'), '');
  mkdirSync(join(root, 'dir/sub'), { recursive: true });
  writeFileSync(join(root, 'dir/inner'), 'inner');
  symlinkSync('file', join(root, 'link'));
  symlinkSync('dir', join(root, 'dirlink'));
  symlinkSync('nowhere', join(root, 'dangling'));
  symlinkSync('loop2', join(root, 'loop1'));
  symlinkSync('loop1', join(root, 'loop2'));
}

function contents(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return 'unreadable';
  }
}

/** Names, types, modes, sizes, owners and contents of a tree. */
function tree(root: string): unknown {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const stat = lstatSync(join(root, name));
      const isSmall = stat.isFile() && stat.size < 100_000;
      return [
        name,
        stat.mode,
        stat.nlink,
        stat.isFile() && stat.size,
        stat.uid,
        stat.gid,
        isSmall && contents(join(root, name)),
      ];
    });
}

interface Case {
  readonly name: string;
  readonly calls: readonly Call[];
  readonly compare?: readonly Region[];
  readonly memory?: readonly { readonly at: number; readonly bytes: Uint8Array }[];
}

function words(at: number, ...values: (number | bigint)[]): { at: number; bytes: Uint8Array } {
  return { at, bytes: new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer) };
}

const cases: readonly Case[] = [
  {
    name: 'open: what is there and what is not',
    calls: [
      [NR.open, 'file', 0], [NR.open, 'none', 0], [NR.open, '', 0], [NR.open, 'file/', 0], [NR.open, 'file/x', 0], [NR.open, 'dir/', 0], [NR.open, 'dir', O.RDWR], [NR.open, 'dir', O.WRONLY],
      [NR.open, 'none/x', O.CREAT, 0o600], [NR.open, 'new/', O.CREAT, 0o600], [NR.open, 'dir', O.CREAT, 0o600], [NR.open, 'dir', O.CREAT | O.EXCL, 0o600], [NR.open, 'file', O.CREAT | O.EXCL, 0o600],
      [NR.open, 'file', O.DIRECTORY], [NR.open, 'dir', O.DIRECTORY | O.TRUNC], [NR.open, 8, 0], [NR.open, 'loop1', 0], [NR.open, 'dangling', 0], [NR.open, 'x'.repeat(256), 0],
      [NR.open, `${'./'.repeat(2050)}file`, 0], [NR.open, `${'./'.repeat(2000)}file`, 0], [NR.open, '///', 0], [NR.open, '/..', 0], [NR.open, 'dir/../file', 0], [NR.open, 'none/../file', 0], [NR.open, 'file/../file', 0],
      [NR.open, 'dirlink/inner', 0], [NR.open, 'dirlink/../file', 0], [NR.open, '.', O.RDWR], [NR.open, '.', O.CREAT, 0o600],
    ],
  },
  {
    name: 'open: links',
    calls: [
      [NR.open, 'link', O.NOFOLLOW], [NR.open, 'link', O.PATH | O.NOFOLLOW], [NR.open, 'link', O.CREAT | O.EXCL, 0o600], [NR.open, 'dangling', O.CREAT | O.WRONLY, 0o640], [NR.open, 'nowhere', 0],
      [NR.open, 'dirlink', O.DIRECTORY], [NR.open, 'dirlink', O.DIRECTORY | O.NOFOLLOW], [NR.open, 'dirlink/', O.DIRECTORY | O.NOFOLLOW], [NR.open, 'link/', 0], [NR.open, 'loop1', O.CREAT, 0o600],
    ],
  },
  {
    name: 'open: flags and creation',
    calls: [
      [NR.umask, 0o027], [NR.open, 'a', O.CREAT | O.RDWR, 0o777], [NR.open, 'b', O.CREAT | O.WRONLY, 0o4755], [NR.creat, 'c', 0o666], [NR.umask, 0], [NR.open, 'd', O.CREAT, 0], [NR.open, 'file', O.TRUNC | O.RDWR],
      [NR.open, 'e', O.CREAT | O.DIRECTORY, 0o700], [NR.openat, CWD, 'dir', O.TMPFILE, 0o600], [NR.fcntl, 3, 3], [NR.fcntl, 4, 3], [NR.open, 'a', O.APPEND | O.NONBLOCK | O.SYNC | O.NOATIME | O.CLOEXEC], [NR.fcntl, 7, 3],
      [NR.fcntl, 7, 1], [NR.open, 'dir', O.DIRECTORY | O.NOFOLLOW], [NR.fcntl, 8, 3],
    ],
  },
  {
    name: 'reading and writing by position',
    calls: [
      [NR.open, 'file', O.RDWR], [NR.read, 3, A, 4], [NR.lseek, 3, 0, 1], [NR.write, 3, 'XY', 2], [NR.lseek, 3, -3, 2], [NR.read, 3, A + 16, 100], [NR.read, 3, A, 100], [NR.pread, 3, A + 32, 5, 2], [NR.pread, 3, A, 5, 100],
      [NR.pwrite, 3, 'end', 3, 12], [NR.lseek, 3, 0, 2], [NR.lseek, 3, -1, 0], [NR.lseek, 3, 5, 9], [NR.lseek, 3, 100, 0], [NR.read, 3, A, 1], [NR.write, 3, 'far', 3], [NR.pread, 3, A, 1, -1], [NR.lseek, 3, 3, 3], [NR.lseek, 3, 200, 3],
      [NR.lseek, 3, 3, 4], [NR.read, 3, A, 0], [NR.read, 3, 8, 4], [NR.lseek, 3, 0, 0], [NR.read, 3, 8, 4], [NR.write, 3, 8, 4], [NR.read, 3, A, -1], [NR.lseek, 3, -9223372036854775808n, 0], [NR.read, 9, A, 1],
    ],
    compare: [{ at: A, length: 64 }],
  },
  {
    name: 'access modes of descriptors',
    calls: [
      [NR.open, 'file', 0], [NR.write, 3, 'x', 1], [NR.pwrite, 3, 'x', 1, 0], [NR.ftruncate, 3, 0], [NR.open, 'file', O.WRONLY], [NR.read, 4, A, 1], [NR.pread, 4, A, 1, 0], [NR.open, 'dir', 0], [NR.read, 5, A, 1], [NR.pread, 5, A, 1, 0],
      [NR.write, 5, 'x', 1], [NR.ftruncate, 5, 0], [NR.fsync, 5], [NR.lseek, 5, 0, 0], [NR.open, 'file', O.PATH], [NR.read, 6, A, 1], [NR.fstat, 6, A], [NR.fcntl, 6, 3], [NR.fcntl, 6, 1], [NR.fchmod, 6, 0o600], [NR.lseek, 6, 0, 0],
      [NR.fcntl, 6, 4, 0], [NR.ioctl, 6, 0x5451], [NR.close, 6], [NR.close, 6], [NR.getdents64, 3, A, 100], [NR.fchdir, 3],
    ],
  },
  {
    name: 'O_APPEND',
    calls: [[NR.open, 'file', O.RDWR | O.APPEND], [NR.write, 3, 'more', 4], [NR.lseek, 3, 0, 1], [NR.lseek, 3, 0, 0], [NR.write, 3, 'X', 1], [NR.pwrite, 3, 'Y', 1, 0], [NR.lseek, 3, 0, 1], [NR.fcntl, 3, 4, 0], [NR.pwrite, 3, 'Z', 1, 0]],
  },
  {
    name: 'vectors',
    memory: [words(A, B, 3, B + 8, 4, B + 16, 0), words(A + 0x100, B, -1), words(A + 0x200, 8, 4), words(A + 0x300, B, 2 ** 40, B, 2 ** 40)],
    calls: [
      [NR.open, 'file', O.RDWR], [NR.readv, 3, A, 3], [NR.readv, 3, A, 3], [NR.readv, 3, A, 3], [NR.writev, 3, A, 2], [NR.readv, 3, A, -1], [NR.readv, 3, A, 1025], [NR.readv, 3, 8, 1], [NR.readv, 3, A + 0x100, 1],
      [NR.pwrite, 3, 'more', 4, 0], [NR.preadv, 3, A, 2, 1], [NR.preadv2, 3, A, 2, -1, 0, 0], [NR.preadv2, 3, A, 2, 0, 0, 0x4000], [NR.writev, 3, A + 0x200, 1], [NR.pwritev2, 3, A, 2, 2, 0, 16], [NR.pwritev2, 3, A, 2, -1, 0, 0], [NR.readv, 3, A, 0],
      [NR.preadv, 3, A, 1, -1],
    ],
    compare: [{ at: B, length: 64 }],
  },
  {
    name: 'stat',
    calls: [
      [NR.stat, 'link', A], [NR.lstat, 'link', A + 0x100], [NR.stat, 'none', A], [NR.stat, 'dangling', A], [NR.stat, '', A], [NR.stat, 'file', 8], [NR.newfstatat, CWD, '', A, 0], [NR.newfstatat, CWD, '', A, 0x1000], [NR.newfstatat, 0, '', A, 0x1000],
      [NR.newfstatat, 77, '', A, 0x1000], [NR.newfstatat, 77, 'file', A, 0], [NR.newfstatat, 77, '/', A, 0], [NR.newfstatat, 0, 'file', A, 0], [NR.newfstatat, CWD, 'link', A, 0x100], [NR.newfstatat, CWD, 'file', A, 0x1], [NR.fstat, 77, A], [NR.stat, 'file/', A],
      [NR.lstat, 'dirlink/', A], [NR.lstat, 'link/', A], [NR.statx, CWD, 'file', 0, 0xfff, A], [NR.statx, CWD, 'none', 0, 0xfff, A], [NR.statx, CWD, 'file', 0x6000, 0xfff, A], [NR.statx, CWD, 'file', 0, 0x8000_0000, A], [NR.statx, CWD, 'file', 0, 0xfff, 8],
      [NR.stat, 'dir/./sub/..', A + 0x200], [NR.statfs, 'file', A], [NR.statfs, 'none', A], [NR.fstatfs, 77, A], [NR.statfs, 'file', 8],
    ],
    compare: [{ at: A + 0x100 + 16, length: 24 }, { at: A + 0x100 + 48, length: 8 }],
  },
  {
    name: 'access',
    calls: [
      [NR.access, 'file', 0], [NR.access, 'file', 4], [NR.access, 'file', 1], [NR.access, 'dir', 7], [NR.access, 'none', 0], [NR.access, 'file', 8], [NR.access, 'dangling', 0], [NR.faccessat, CWD, 'file', 4], [NR.faccessat2, CWD, 'file', 4, 0x200],
      [NR.faccessat2, CWD, 'dangling', 4, 0x100], [NR.faccessat2, CWD, 'file', 4, 1], [NR.faccessat2, CWD, '', 0, 0x1000], [NR.faccessat2, 0, '', 6, 0x1000], [NR.access, '', 0],
    ],
  },
  {
    name: 'directories',
    calls: [
      [NR.mkdir, 'new', 0o777], [NR.mkdir, 'new', 0o777], [NR.mkdir, 'new2/', 0o700], [NR.mkdir, 'none/x', 0o700], [NR.mkdir, 'file/x', 0o700], [NR.mkdir, '.', 0o700], [NR.mkdir, '/', 0o700], [NR.mkdir, '', 0o700], [NR.mkdir, 'dangling', 0o700], [NR.mkdir, 'link', 0o700],
      [NR.mkdirat, CWD, 'new3', 0o1777], [NR.rmdir, 'new'], [NR.rmdir, 'dir'], [NR.rmdir, 'file'], [NR.rmdir, 'none'], [NR.rmdir, '.'], [NR.rmdir, 'dir/..'], [NR.rmdir, '/'], [NR.rmdir, 'dirlink'], [NR.rmdir, 'new2/'], [NR.unlinkat, CWD, 'new3', 0x200],
      [NR.unlinkat, CWD, 'file', 0x200], [NR.unlinkat, CWD, 'dir/sub', 0], [NR.unlinkat, CWD, 'file', 1], [NR.unlink, 'dir'], [NR.unlink, 'none'], [NR.unlink, 'file/'], [NR.unlink, 'dir/'], [NR.unlink, '.'], [NR.unlink, 'link'], [NR.unlink, ''], [NR.unlink, 'dirlink/'],
    ],
  },
  {
    name: 'working directory',
    calls: [
      [NR.chdir, 'dir'], [NR.open, 'inner', 0], [NR.open, '../file', 0], [NR.chdir, 'inner'], [NR.chdir, 'none'], [NR.chdir, ''], [NR.chdir, '../dirlink/sub'], [NR.open, '../inner', 0], [NR.open, '../../file', 0], [NR.chdir, '..'], [NR.open, '.', 0], [NR.chdir, '/'],
      [NR.getcwd, A, 2], [NR.getcwd, A, 1], [NR.getcwd, 8, 100], [NR.fchdir, 7], [NR.open, 'inner', 0], [NR.fchdir, 3], [NR.fchdir, 77], [NR.mkdir, 'gone', 0o700], [NR.chdir, 'gone'], [NR.rmdir, '../gone'], [NR.getcwd, A, 100], [NR.open, 'x', O.CREAT, 0o600],
      [NR.open, '..', 0],
    ],
    compare: [{ at: A, length: 2 }],
  },
  {
    name: 'renaming',
    calls: [
      [NR.rename, 'file', 'moved'], [NR.rename, 'file', 'x'], [NR.rename, 'moved', 'dir'], [NR.rename, 'dir', 'moved'], [NR.rename, 'dir', 'dir/sub/x'], [NR.rename, 'dir/sub', 'dir'], [NR.rename, 'dir', 'dir'], [NR.rename, '.', 'x'], [NR.rename, 'moved', '..'],
      [NR.rename, 'moved', 'none/x'], [NR.rename, 'moved/', 'y'], [NR.rename, 'moved', 'y/'], [NR.mkdir, 'd2', 0o700], [NR.rename, 'd2', 'dir'], [NR.rename, 'dir', 'd2'], [NR.rename, 'd2', 'd3/'], [NR.rename, 'link', 'link2'], [NR.rename, 'moved', 'link2'],
      [NR.renameat2, CWD, 'link2', CWD, 'empty', 1], [NR.renameat2, CWD, 'link2', CWD, 'fresh', 1], [NR.renameat2, CWD, 'fresh', CWD, 'empty', 9], [NR.rename, '', 'x'], [NR.rename, 'fresh', ''], [NR.link, 'fresh', 'hard'], [NR.rename, 'fresh', 'hard'], [NR.stat, 'fresh', A],
      [NR.renameat, CWD, 'fresh', CWD, 'empty'], [NR.open, 'empty', 0], [NR.rename, 'dirlink', 'dl'], [NR.rename, 'd3', 'dl'],
    ],
  },
  {
    name: 'open files and the working directory follow a renamed directory',
    calls: [
      [NR.open, 'dir', 0], [NR.chdir, 'dir'], [NR.rename, '../dir', '../other'], [NR.openat, 3, 'inner', 0], [NR.open, 'inner', 0], [NR.open, '../file', 0], [NR.newfstatat, 3, 'sub', A, 0], [NR.fchdir, 3], [NR.open, 'inner', 0],
    ],
  },
  {
    name: 'links',
    calls: [
      [NR.link, 'file', 'hard'], [NR.link, 'file', 'hard'], [NR.link, 'dir', 'hd'], [NR.link, 'none', 'x'], [NR.link, 'file', 'none/x'], [NR.link, 'link', 'linkhard'], [NR.lstat, 'linkhard', B], [NR.linkat, CWD, 'link', CWD, 'followed', 0x400], [NR.linkat, CWD, 'link', CWD, 'x', 1],
      [NR.symlink, 'target', 'new'], [NR.symlink, 'target', 'new'], [NR.symlink, '', 'x'], [NR.symlink, 'x', ''], [NR.symlink, 'x', 'y/'], [NR.readlink, 'new', A, 100], [NR.readlink, 'new', A + 32, 3], [NR.readlink, 'new', A, 0], [NR.readlink, 'new', A, -1],
      [NR.readlink, 'file', A, 9], [NR.readlink, 'none', A, 9], [NR.readlink, '', A, 9], [NR.readlinkat, CWD, 'link', A + 64, 100], [NR.open, 'link', O.PATH | O.NOFOLLOW], [NR.readlinkat, 3, '', A + 96, 100], [NR.symlinkat, 'abc', CWD, 'at'], [NR.readlink, 'dirlink/', A, 9],
      [NR.readlink, 'link', 8, 9], [NR.link, 'hard', 'dangling'],
    ],
    compare: [{ at: A, length: 128 }],
  },
  {
    name: 'modes, owners, times',
    memory: [words(A, 1_000_000_000, 0, 1_100_000_000, 0), words(A + 64, 5, 1_000_000_000), words(A + 96, 0, 0x3fff_fffe, 0, 0x3fff_ffff), words(A + 128, 7, 1_000_000, 8, 0), words(A + 160, 3, 4)],
    calls: [
      [NR.chmod, 'file', 0o4711], [NR.chmod, 'link', 0o600], [NR.chmod, 'none', 0o600], [NR.fchmodat, CWD, 'dir', 0o711], [NR.open, 'file', 0], [NR.fchmod, 3, 0o640], [NR.fchmod, 77, 0], [NR.chown, 'file', -1, -1], [NR.lchown, 'link', -1, -1], [NR.chown, 'dangling', -1, -1],
      [NR.fchown, 3, -1, -1], [NR.fchownat, CWD, '', -1, -1, 0x1000], [NR.fchownat, CWD, 'file', -1, -1, 1], [NR.utimensat, CWD, 'file', A, 0], [NR.utimensat, CWD, 'file', A + 64, 0], [NR.utimensat, 3, 0, A, 0], [NR.utimensat, 3, 0, A, 1], [NR.utimensat, CWD, 'none', A, 0],
      [NR.utimensat, CWD, 'none', A + 96, 0], [NR.utimensat, CWD, 'file', 8, 0], [NR.utimensat, CWD, 'dangling', A, 0x100], [NR.utimensat, CWD, 'file', A, 1], [NR.utimes, 'file', A], [NR.utimes, 'file', A + 128], [NR.utimes, 'none', 0], [NR.utime, 'file', A + 160], [NR.utime, 'file', 8],
      [NR.utime, 'none', 0], [NR.stat, 'file', B],
    ],
    compare: [{ at: B + 24, length: 4 }, { at: B + 72, length: 32 }],
  },
  {
    name: 'sizes',
    calls: [
      [NR.truncate, 'file', 3], [NR.truncate, 'file', 10], [NR.truncate, 'file', -1], [NR.truncate, 'dir', 0], [NR.truncate, 'none', 0], [NR.truncate, 'link', 4], [NR.open, 'file', O.RDWR], [NR.ftruncate, 3, 20], [NR.ftruncate, 3, -1], [NR.ftruncate, 77, 0], [NR.fsync, 3],
      [NR.fdatasync, 3], [NR.fsync, 77], [NR.fallocate, 3, 0, -1, 10], [NR.fallocate, 3, 0, 0, 0], [NR.fallocate, 77, 0, 0, 1], [NR.sync], [NR.fsync, 0],
    ],
  },
  {
    name: 'RLIMIT_FSIZE',
    memory: [words(A, 12, -1)],
    calls: [[NR.open, 'file', O.RDWR], [NR.setrlimit, 1, A], [NR.lseek, 3, 0, 2], [NR.write, 3, 'abcdef', 6], [NR.write, 3, 'abcdef', 6], [NR.pwrite, 3, 'abcdef', 6, 10], [NR.pwrite, 3, 'abc', 3, 12], [NR.ftruncate, 3, 13], [NR.ftruncate, 3, 11], [NR.truncate, 'file', 200]],
  },
  {
    name: 'descriptors',
    memory: [words(A, 5, 1000)],
    calls: [
      [NR.open, 'file', 0], [NR.dup, 3], [NR.dup2, 3, 9], [NR.dup2, 3, 3], [NR.dup2, 77, 1], [NR.dup2, 3, -1], [NR.dup3, 3, 3, 0], [NR.dup3, 3, 10, O.CLOEXEC], [NR.dup3, 3, 10, 1], [NR.fcntl, 10, 1], [NR.fcntl, 9, 1], [NR.fcntl, 3, 0, 20], [NR.fcntl, 3, 0, -1], [NR.fcntl, 3, 1030, 20],
      [NR.fcntl, 21, 1], [NR.fcntl, 3, 2, 1], [NR.fcntl, 3, 1], [NR.fcntl, 3, 99], [NR.fcntl, 77, 1], [NR.fcntl, 3, 4, O.APPEND | O.NONBLOCK | O.WRONLY], [NR.fcntl, 4, 3], [NR.ioctl, 3, 0x5401, A], [NR.ioctl, 3, 0x5450], [NR.fcntl, 3, 1], [NR.ioctl, 3, 0x541b, A + 32],
      [NR.ioctl, 77, 0], [NR.close_range, 9, 10, 4], [NR.fcntl, 9, 1], [NR.close_range, 9, 100, 0], [NR.close, 9], [NR.close_range, 5, 4, 0], [NR.close_range, 4, 5, 8], [NR.fcntl, 3, 9], [NR.fcntl, 3, 11], [NR.fcntl, 3, 10, 65], [NR.fcntl, 3, 10, 10], [NR.fcntl, 3, 11],
      [NR.setrlimit, 7, A], [NR.dup, 3], [NR.dup, 3], [NR.fcntl, 3, 0, 5], [NR.dup2, 3, 5], [NR.open, 'file', 0],
    ],
    compare: [{ at: A + 32, length: 4 }],
  },
  {
    name: 'openat and openat2',
    memory: [words(A, 0, 0, 4), words(A + 32, 0, 0, 8), words(A + 64, 0, 0, 16), words(A + 96, 0, 0o600, 0), words(A + 128, 2 ** 40, 0, 0), words(A + 160, 0, 0, 64), words(A + 192, 0, 0, 0, 0), words(A + 224, 0, 0, 0, 1), words(A + 256, O.CREAT | O.WRONLY, 0o640, 0), words(A + 288, 0, 0, 2)],
    calls: [
      [NR.open, 'dir', O.PATH], [NR.openat, 3, 'inner', 0], [NR.openat, 3, '../file', 0], [NR.openat, 4, 'x', 0], [NR.openat, 77, 'x', 0], [NR.openat, 77, '/', 0], [NR.openat2, CWD, 'link', A, 24], [NR.openat2, CWD, 'file', A, 24], [NR.openat2, CWD, 'dirlink/inner', A, 24],
      [NR.openat2, 3, '../file', A + 32, 24], [NR.openat2, 3, 'inner', A + 32, 24], [NR.openat2, 3, '/inner', A + 32, 24], [NR.openat2, 3, 'sub/../inner', A + 32, 24], [NR.openat2, 3, '/inner', A + 64, 24], [NR.openat2, 3, '../../inner', A + 64, 24], [NR.openat2, CWD, 'file', A + 96, 24],
      [NR.openat2, CWD, 'file', A + 128, 24], [NR.openat2, CWD, 'file', A + 160, 24], [NR.openat2, CWD, 'file', A + 192, 32], [NR.openat2, CWD, 'file', A + 224, 32], [NR.openat2, CWD, 'file', A, 23], [NR.openat2, CWD, 'file', 8, 24], [NR.openat2, CWD, 'made', A + 256, 24],
    ],
  },
  {
    name: 'locks of a single process',
    memory: [words(A, 1, 2, 4, 0), words(A + 32, 0, 2, 4, 0), words(A + 64, 2, 0, 0, 0), words(A + 96, 1, -1, 4, 0), words(A + 128, 7, 0, 0, 0), words(A + 160, 1 | (3 << 16), 0, 0, 0)],
    calls: [
      [NR.open, 'file', O.RDWR], [NR.fcntl, 3, 6, A], [NR.fcntl, 3, 5, A + 32], [NR.fcntl, 3, 7, A], [NR.fcntl, 3, 6, A + 96], [NR.fcntl, 3, 6, A + 128], [NR.fcntl, 3, 6, A + 160], [NR.fcntl, 3, 6, 8], [NR.fcntl, 3, 6, A + 64], [NR.open, 'file', 0], [NR.fcntl, 4, 6, A], [NR.fcntl, 3, 37, A],
      [NR.fcntl, 4, 5, A], [NR.fcntl, 4, 36, A], [NR.flock, 3, 2], [NR.flock, 4, 5], [NR.flock, 3, 1], [NR.flock, 4, 5], [NR.flock, 3, 6], [NR.flock, 4, 8], [NR.flock, 3, 6], [NR.flock, 3, 0], [NR.flock, 77, 1],
    ],
    compare: [{ at: A, length: 24 }, { at: A + 32, length: 24 }],
  },
  {
    name: 'memory devices',
    calls: [
      [NR.open, '/dev/null', O.RDWR], [NR.read, 3, A, 10], [NR.write, 3, 'x', 1], [NR.lseek, 3, 5, 0], [NR.open, '/dev/zero', O.RDWR], [NR.read, 4, A, 10], [NR.pread, 4, A, 10, 5], [NR.write, 4, 'abc', 3], [NR.open, '/dev/full', O.RDWR], [NR.write, 5, 'a', 1], [NR.read, 5, A, 3],
      [NR.open, '/dev/none', 0], [NR.open, '/dev/null', O.DIRECTORY], [NR.open, '/dev/null/x', 0], [NR.ioctl, 3, 0x5401, A], [NR.open, '/dev/urandom', 0], [NR.read, 6, A, 10], [NR.ftruncate, 3, 0], [NR.truncate, '/dev/null', 0], [NR.open, '/dev/null', O.TRUNC | O.CREAT | O.WRONLY, 0o600],
      [NR.stat, '/dev/null', B], [NR.fsync, 3], [NR.fcntl, 3, 3], [NR.access, '/dev/null', 6],
    ],
    compare: [{ at: B + 16, length: 32 }],
  },
  {
    name: 'sendfile',
    memory: [words(A, 2), words(A + 8, -1)],
    calls: [
      [NR.open, 'file', 0], [NR.open, 'out', O.CREAT | O.RDWR, 0o600], [NR.sendfile, 4, 3, 0, 100], [NR.lseek, 3, 0, 1], [NR.sendfile, 4, 3, A, 3], [NR.lseek, 3, 0, 1], [NR.sendfile, 4, 3, A + 8, 3], [NR.sendfile, 4, 77, 0, 3], [NR.sendfile, 77, 3, 0, 3], [NR.sendfile, 3, 4, 0, 3],
      [NR.sendfile, 4, 3, 8, 3], [NR.sendfile, 4, 3, 0, 3], [NR.open, 'dir', 0], [NR.sendfile, 4, 5, 0, 3], [NR.pipe2, A + 32, O.NONBLOCK], [NR.sendfile, 7, 3, A, 100], [NR.read, 6, A + 64, 100], [NR.sendfile, 4, 6, 0, 10], [NR.open, 'out', O.WRONLY | O.APPEND], [NR.sendfile, 8, 3, A, 3],
    ],
    compare: [{ at: A, length: 96 }],
  },
  {
    name: 'copy_file_range',
    memory: [words(A, 2), words(A + 8, 20), words(A + 16, 0), words(A + 24, -5)],
    calls: [
      [NR.open, 'file', O.RDWR], [NR.open, 'out', O.CREAT | O.RDWR, 0o600], [NR.copy_file_range, 3, 0, 4, 0, 100, 0], [NR.copy_file_range, 3, 0, 4, 0, 100, 0], [NR.copy_file_range, 3, A, 4, A + 8, 4, 0], [NR.copy_file_range, 3, A + 16, 3, A + 8, 4, 0], [NR.copy_file_range, 3, A + 16, 3, 0, 6, 0],
      [NR.copy_file_range, 3, 0, 4, 0, 1, 1], [NR.copy_file_range, 77, 0, 4, 0, 1, 0], [NR.copy_file_range, 3, A + 24, 4, 0, 1, 0], [NR.open, 'dir', 0], [NR.copy_file_range, 5, 0, 4, 0, 1, 0], [NR.pipe2, A + 64, 0], [NR.copy_file_range, 3, A, 7, 0, 1, 0], [NR.open, 'out', O.WRONLY | O.APPEND],
      [NR.copy_file_range, 3, A, 8, 0, 1, 0], [NR.open, 'out', O.WRONLY], [NR.copy_file_range, 9, 0, 4, 0, 1, 0], [NR.copy_file_range, 4, 0, 3, 0, 0, 0], [NR.lseek, 4, 0, 1], [NR.lseek, 3, 0, 1],
    ],
    compare: [{ at: A, length: 32 }],
  },
  {
    name: 'splice and tee',
    memory: [words(A, 2), words(A + 8, 5)],
    calls: [
      [NR.open, 'file', O.RDWR], [NR.pipe2, A + 32, O.NONBLOCK], [NR.splice, 3, 0, 5, 0, 4, 0], [NR.splice, 3, A, 5, 0, 3, 0], [NR.pipe2, A + 40, O.NONBLOCK], [NR.tee, 4, 7, 100, 0], [NR.tee, 4, 5, 100, 0], [NR.tee, 3, 7, 1, 0], [NR.tee, 4, 7, 0, 0], [NR.tee, 4, 7, 1, 16], [NR.read, 6, A + 64, 100], [NR.open, 'out', O.CREAT | O.RDWR, 0o600],
      [NR.splice, 4, 0, 8, 0, 100, 0], [NR.splice, 4, 0, 8, 0, 100, 2], [NR.splice, 3, 0, 8, 0, 10, 0], [NR.splice, 4, A, 8, 0, 10, 0], [NR.splice, 3, 0, 5, A, 10, 0], [NR.splice, 3, 0, 5, 0, 10, 16], [NR.splice, 3, 0, 5, 0, 0, 0], [NR.splice, 77, 0, 5, 0, 1, 0], [NR.splice, 3, 0, 4, 0, 1, 0], [NR.splice, 4, 0, 5, 0, 1, 0],
      [NR.write, 5, 'xyz', 3], [NR.splice, 4, 0, 8, A + 8, 2, 0], [NR.splice, 4, 0, 7, 0, 100, 0], [NR.read, 6, A + 128, 10], [NR.close, 5], [NR.splice, 4, 0, 8, 0, 10, 0], [NR.tee, 4, 7, 10, 0], [NR.close, 6], [NR.splice, 3, 0, 7, 0, 1, 0],
    ],
    compare: [{ at: A, length: 16 }, { at: A + 64, length: 80 }],
  },
  {
    name: 'memory files',
    calls: [
      [NR.memfd_create, 'name', 3], [NR.fcntl, 3, 1], [NR.fcntl, 3, 3], [NR.write, 3, 'contents', 8], [NR.lseek, 3, 0, 2], [NR.pread, 3, A, 10, 2], [NR.ftruncate, 3, 5000], [NR.lseek, 3, 0, 2], [NR.fallocate, 3, 3, 1, 3], [NR.pread, 3, A + 16, 8, 0], [NR.fallocate, 3, 0, 0, 10_000], [NR.lseek, 3, 0, 2],
      [NR.fcntl, 3, 1034], [NR.fcntl, 3, 1033, 4], [NR.ftruncate, 3, 20_000], [NR.pwrite, 3, 'x', 1, 20_000], [NR.pwrite, 3, 'x', 1, 9_000], [NR.fcntl, 3, 1033, 2], [NR.ftruncate, 3, 1], [NR.fcntl, 3, 1033, 8], [NR.write, 3, 'x', 1], [NR.fcntl, 3, 1033, 1], [NR.fcntl, 3, 1033, 1], [NR.fcntl, 3, 1034], [NR.fstat, 3, B],
      [NR.memfd_create, 'n', 0], [NR.fcntl, 4, 1034], [NR.fcntl, 4, 1033, 2], [NR.memfd_create, 'n', 0x40], [NR.memfd_create, 8, 0], [NR.memfd_create, 'x'.repeat(250), 0], [NR.memfd_create, 'x'.repeat(249), 0], [NR.open, 'file', O.RDWR], [NR.fcntl, 6, 1034], [NR.fsync, 3], [NR.fchmod, 3, 0o600], [NR.fstat, 3, B + 256],
      [NR.open, '/proc/self/fd/3', O.RDWR], [NR.pread, 7, A + 32, 4, 4], [NR.lseek, 7, 0, 1], [NR.flock, 3, 2], [NR.flock, 7, 6], [NR.fcntl, 3, 1033, 64],
    ],
    compare: [{ at: A, length: 64 }, { at: B + 16, length: 8 }, { at: B + 24, length: 4 }, { at: B + 48, length: 8 }, { at: B + 256 + 24, length: 4 }],
  },
  {
    name: 'attributes of pipes and sockets',
    calls: [
      [NR.pipe2, A, 0], [NR.fchmod, 3, 0o640], [NR.fstat, 4, B], [NR.fchown, 3, -1, -1], [NR.fchown, 4, -1, 12345], [NR.fstat, 3, B + 256], [NR.utimensat, 3, 0, 0, 0],
      [NR.socketpair, 1, 1, 0, A], [NR.fchmod, 5, 0o400], [NR.fstat, 5, B + 512], [NR.fstat, 6, B + 768], [NR.fchmod, 6, 0o7777], [NR.fstat, 6, B + 1024], [NR.chmod, '/proc/self/fd/4', 0o222], [NR.fstat, 3, B + 1280],
    ],
    compare: [0, 256, 512, 768, 1024, 1280].map((offset) => ({ at: B + offset + 24, length: 12 })),
  },
  {
    name: 'a deleted file opened again',
    calls: [
      [NR.open, 'file', O.RDWR], [NR.unlink, 'file'], [NR.open, '/proc/self/fd/3', 0], [NR.read, 4, A, 4], [NR.lseek, 3, 0, 1], [NR.open, '/dev/fd/3', O.RDWR | O.APPEND], [NR.write, 5, 'more', 4], [NR.pread, 3, A + 16, 20, 0], [NR.stat, '/proc/self/fd/3', B], [NR.open, '/proc/self/fd/3', O.WRONLY | O.TRUNC], [NR.lseek, 3, 0, 2], [NR.close, 3],
      [NR.write, 6, 'x', 1], [NR.pread, 4, A + 48, 5, 0], [NR.truncate, '/proc/self/fd/4', 3], [NR.lseek, 4, 0, 2], [NR.mkdir, 'gone', 0o700], [NR.open, 'gone', 0], [NR.rmdir, 'gone'], [NR.open, 'file', 0], [NR.chmod, '/proc/self/fd/4', 0o600], [NR.fstat, 4, B + 256], [NR.linkat, CWD, '/proc/self/fd/4', CWD, 'back', 0x400],
    ],
    compare: [{ at: A, length: 64 }, { at: B + 16, length: 12 }, { at: B + 48, length: 8 }, { at: B + 256 + 24, length: 4 }],
  },
  {
    name: 'pipes opened again',
    calls: [
      [NR.pipe2, A, 0], [NR.write, 4, 'abc', 3], [NR.open, '/proc/self/fd/3', 0], [NR.close, 4], [NR.read, 5, A + 16, 10], [NR.read, 5, A, 10], [NR.open, '/dev/fd/3', 0], [NR.read, 4, A, 10], [NR.open, '/proc/self/fd/3', O.WRONLY | O.NONBLOCK], [NR.write, 6, 'x', 1], [NR.read, 3, A + 32, 5],
      [NR.open, '/proc/self/fd/77', 0], [NR.open, '/proc/self/fd/3/x', 0], [NR.open, '/proc/self/fd/3', O.PATH], [NR.readlink, '/proc/self/fd/0', A + 48, 20], [NR.open, '/proc/self/fd/3', O.DIRECTORY], [NR.open, '/proc/self/fd/3', O.NOFOLLOW], [NR.open, '/proc/self/cwd/file', 0], [NR.open, '/proc/self/root/tmp', O.PATH],
      [NR.stat, '/proc/self/fd/3', B], [NR.chmod, '/proc/self/status', 0o777], [NR.unlink, '/proc/self/status'], [NR.open, '/proc/self/new', O.CREAT, 0o600], [NR.open, '/proc/self/status', O.RDWR], [NR.open, '/proc/0', 0], [NR.open, '/proc/01', 0], [NR.access, '/proc/self/maps', 4],
    ],
    compare: [{ at: A + 16, length: 3 }, { at: A + 32, length: 1 }, { at: A + 48, length: 9 }, { at: B + 24, length: 4 }],
  },
  {
    name: 'rights of the owner',
    calls: [
      [NR.chmod, 'dir', 0], [NR.open, 'dir/inner', 0], [NR.chdir, 'dir'], [NR.mkdir, 'dir/x', 0o700], [NR.unlink, 'dir/inner'], [NR.rename, 'dir/inner', 'x'], [NR.access, 'dir', 4], [NR.stat, 'dir/inner', B], [NR.open, 'dir', 0], [NR.chmod, 'dir', 0o500], [NR.creat, 'dir/x', 0o600], [NR.rmdir, 'dir/sub'], [NR.open, 'dir', 0], [NR.chmod, 'dir', 0o700],
      [NR.chmod, 'file', 0o200], [NR.open, 'file', 0], [NR.open, 'file', O.WRONLY], [NR.access, 'file', 4], [NR.chown, 'file', 12_345, -1], [NR.open, '/etc/passwd', O.RDWR], [NR.open, '/etc/shadow', 0], [NR.chmod, 'file', 0o644],
    ],
  },
  {
    name: 'advice',
    calls: [[NR.open, 'file', 0], [NR.fadvise, 3, 0, 0, 1], [NR.fadvise, 3, 0, 0, 6], [NR.fadvise, 3, 0, -1, 1], [NR.fadvise, 77, 0, 0, 1], [NR.readahead, 3, 0, 100], [NR.readahead, 77, 0, 1], [NR.pipe2, A, 0], [NR.fadvise, 4, 0, 0, 1], [NR.readahead, 4, 0, 1], [NR.open, 'file', O.WRONLY], [NR.readahead, 6, 0, 1]],
  },
]; // biome-ignore format: tables

/** /dev/shm of the guest, against a directory of the host. */
test('the file system in memory behaves like others', () => {
  const calls: readonly Call[] = [
    [NR.umask, 0o022], [NR.open, 'f', O.CREAT | O.RDWR | O.EXCL, 0o666], [NR.write, 3, 'contents', 8], [NR.open, 'f', O.CREAT | O.EXCL, 0o600], [NR.stat, 'f', A], [NR.mkdir, 'd', 0o777], [NR.mkdir, 'd', 0o777], [NR.open, 'd/x', O.CREAT | O.WRONLY, 0o600], [NR.open, 'd', O.RDWR], [NR.open, 'd', 0], [NR.open, 'f/x', 0],
    [NR.open, 'no/x', O.CREAT, 0o600], [NR.symlink, 'f', 'l'], [NR.readlink, 'l', A + 256, 10], [NR.open, 'l', O.RDWR | O.TRUNC], [NR.fstat, 3, A + 512], [NR.link, 'f', 'hard'], [NR.stat, 'f', A + 768], [NR.unlink, 'f'], [NR.stat, 'hard', A + 1024], [NR.rename, 'hard', 'd/moved'], [NR.open, 'd/moved', 0], [NR.rmdir, 'd'],
    [NR.rename, 'd', 'd/y'], [NR.mkdir, 'e', 0o700], [NR.rename, 'e', 'd'], [NR.rename, 'd', 'e'], [NR.open, 'e/moved', O.RDWR], [NR.write, 8, 'abc', 3], [NR.unlink, 'e/moved'], [NR.pread, 8, A + 300, 10, 0], [NR.fstat, 8, A + 1280], [NR.ftruncate, 8, 10_000], [NR.lseek, 8, 0, 2], [NR.chmod, 'e', 0o711], [NR.stat, 'e', A + 1536], [NR.unlink, 'e/x'],
    [NR.rmdir, 'e'], [NR.rmdir, 'l'], [NR.unlink, 'l'], [NR.unlink, 'l'], [NR.creat, 'g', 0o640], [NR.truncate, 'g', 100], [NR.utimensat, CWD, 'g', B, 0], [NR.stat, 'g', A + 1792], [NR.access, 'g', 1], [NR.flock, 9, 2], [NR.fsync, 9], [NR.mknod, 'p', 0o010600, 0], [NR.open, 'p', O.RDWR], [NR.write, 10, 'x', 1], [NR.unlink, 'p'], [NR.readlink, 'g', A, 5],
  ]; // biome-ignore format: a table
  const sizes = [0, 512, 768, 1024, 1280, 1792].map((at) => ({ at: A + at + 48, length: 8 }));
  const kinds = [0, 512, 768, 1024, 1280, 1536, 1792].map((at) => ({ at: A + at + 24, length: 4 }));
  const links = [0, 512, 768, 1024, 1280, 1792].map((at) => ({ at: A + at + 16, length: 8 }));
  const compare = [...sizes, ...kinds, ...links, { at: A + 256, length: 64 }, { at: A + 1792 + 72, length: 32 }];
  const memory = [words(B, 1_000_000_000, 5, 1_100_000_000, 7)];
  expectTwins({ runner, calls, compare, memory, guestDirectory: '/dev/shm' });
});

const NR_SETGROUPS = 116;
const NR_SETRESUID = 117;
const NR_SETRESGID = 119;
const NOBODY = 65_534;

/** What a process that was root may still do. */
const dropped: readonly Case[] = [
  {
    name: 'after setuid',
    memory: [words(A, 1, 0, 2, 0)],
    calls: [
      [NR.mkdir, 'open', 0o777], [NR.chmod, 'open', 0o777], [NR.mkdir, 'sticky', 0o777], [NR.chmod, 'sticky', 0o1777], [NR.creat, 'sticky/roots', 0o666], [NR.mkdir, 'closed', 0o700], [NR.creat, 'closed/in', 0o666], [NR.creat, 'secret', 0o600], [NR.mkdir, 'readable', 0o744], [NR.creat, 'readable/in', 0o666], [NR.creat, 'grouped', 0o660],
      [NR.chown, 'grouped', 3_000_000_000, 4_000_000_000], [NR.chown, 'grouped', 0, NOBODY], [NR.chmod, 'grouped', 0o660], [NR.open, 'secret', O.RDWR], [NR_SETGROUPS, 0, 0], [NR_SETRESGID, NOBODY, NOBODY, NOBODY], [NR_SETRESUID, NOBODY, NOBODY, NOBODY], [NR.open, 'file', 0], [NR.open, 'file', O.RDWR], [NR.open, 'secret', 0], [NR.open, 'secret', O.PATH], [NR.write, 7, 'x', 1],
      [NR.open, 'grouped', O.RDWR], [NR.open, 'made', O.CREAT | O.RDWR, 0o600], [NR.open, 'open/made', O.CREAT | O.RDWR, 0o640], [NR.mkdir, 'open/dir', 0o700], [NR.symlink, 'x', 'open/link'], [NR.mkdir, 'made', 0o700], [NR.open, 'closed/in', 0], [NR.stat, 'closed/in', B], [NR.open, 'closed', 0], [NR.chdir, 'closed'], [NR.open, 'readable', 0],
      [NR.open, 'readable/in', 0], [NR.chmod, 'file', 0o600], [NR.chmod, 'open/made', 0o600], [NR.chown, 'file', NOBODY, -1], [NR.chown, 'open/made', 0, -1], [NR.chown, 'open/made', NOBODY, NOBODY], [NR.unlink, 'file'], [NR.unlink, 'sticky/roots'], [NR.creat, 'sticky/mine', 0o600], [NR.rename, 'sticky/roots', 'sticky/x'],
      [NR.rename, 'sticky/mine', 'sticky/mine2'], [NR.unlink, 'sticky/mine2'], [NR.rename, 'open/made', 'stolen'], [NR.link, 'open/made', 'open/made2'], [NR.utimensat, CWD, 'file', A, 0], [NR.utimensat, CWD, 'file', 0, 0], [NR.utimensat, CWD, 'grouped', 0, 0], [NR.utimensat, CWD, 'open/made', A, 0], [NR.access, 'file', 2], [NR.access, 'file', 4],
      [NR.access, 'grouped', 6], [NR.access, 'closed', 1], [NR.faccessat2, CWD, 'secret', 4, 0x200], [NR.truncate, 'file', 0], [NR.truncate, 'open/made', 3], [NR.rmdir, 'open/dir'], [NR.rmdir, 'dir/sub'], [NR.open, '/proc/self/comm', O.RDWR], [NR.chroot, '.'], [NR.open, 'file', O.NOATIME], [NR.open, 'open/made', O.NOATIME],
    ],
  },
  {
    name: 'effective and real ids',
    calls: [
      [NR.creat, 'secret', 0o600], [NR.mkdir, 'open', 0o777], [NR.chmod, 'open', 0o777], [NR_SETRESUID, -1, NOBODY, -1], [NR.open, 'secret', 0], [NR.access, 'secret', 4], [NR.faccessat2, CWD, 'secret', 4, 0x200], [NR.creat, 'open/made', 0o644], [NR_SETRESUID, -1, 0, -1], [NR.open, 'secret', 0], [NR_SETRESUID, NOBODY, 0, 0], [NR.access, 'secret', 4],
      [NR.faccessat2, CWD, 'secret', 4, 0x200],
    ],
  },
]; // biome-ignore format: tables

test.runIf(process.getuid?.() === 0).each(dropped)('$name', ({ calls, memory }) => {
  expectTwins({ runner, prepare, calls: [[NR.umask, 0o022], ...calls], memory: memory ?? [] }, tree);
});

test.each(cases)('$name', ({ calls, compare, memory }) => {
  expectTwins(
    { runner, prepare, calls: [[NR.umask, 0o022], ...calls], compare: compare ?? [], memory: memory ?? [] },
    tree,
  );
});
