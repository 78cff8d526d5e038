/** A gateway with nothing behind it, for machines without an outside: the root directory is empty, the inherited descriptors are closed. */
import { EBADF, ENOENT, ENOTTY } from '../kernel/errno.js';
import type { FileStat } from '../kernel/file/stat.js';
import type { Host, HostFiles, HostStreams } from './host.js';

const noent = (): number => -ENOENT;
const nobody = (): never => {
  throw new Error('a handle of a host that opens nothing');
};

const EMPTY_ROOT: FileStat = {
  device: 1, inode: 1, mode: 0o040755, links: 2, uid: 0, gid: 0, rdevice: 0, size: 0, blockSize: 4096, blocks: 0, accessed: 0n, modified: 0n, changed: 0n, born: 0n,
}; // biome-ignore format: a table

const FILES: HostFiles = {
  open: noent,
  lstat: (path) => (path === '/' ? EMPTY_ROOT : -ENOENT),
  statfs: noent,
  readlink: noent,
  follow: () => undefined,
  readdir: (path) => (path === '/' ? [] : -ENOENT),
  mkdir: noent,
  mknod: noent,
  rmdir: noent,
  unlink: noent,
  rename: noent,
  link: noent,
  symlink: noent,
  chmod: noent,
  chown: noent,
  utimes: noent,
  access: noent,
  close: nobody,
  pread: nobody,
  pwrite: nobody,
  fstat: nobody,
  truncate: nobody,
  sync: nobody,
  fchmod: nobody,
  fchown: nobody,
  futimes: nobody,
};

const badf = (): number => -EBADF;

const STREAMS: HostStreams = {
  kind: () => 'closed',
  stat: badf,
  read: badf,
  poll: () => 'ready',
  write: badf,
  name: () => '',
  flags: () => undefined,
  position: () => undefined,
  pread: badf,
  pwrite: badf,
  truncate: badf,
  windowSize: () => undefined,
  setRaw: () => -ENOTTY,
};

export const NO_HOST: Host = {
  inputs: {
    epoch: { seconds: 0, nanoseconds: 0 },
    uid: 1000,
    gid: 1000,
    groups: [1000],
    environ: [],
    cwd: '/',
    umask: 0o22,
    hostname: 'sidestep',
  },
  files: FILES,
  streams: STREAMS,
  wait: () => Promise.resolve(),
  flush: () => Promise.resolve(),
  interruptWait: () => undefined,
  drain: () => [],
};
