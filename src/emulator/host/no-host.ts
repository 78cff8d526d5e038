/** A gateway with nothing behind it, for machines without an outside: no file exists, the inherited descriptors are closed. */
import { EBADF, ENOENT, ENOTTY } from '../kernel/errno.js';
import type { Host, HostFiles, HostStreams } from './host.js';

const noent = (): number => -ENOENT;
const nobody = (): never => {
  throw new Error('a handle of a host that opens nothing');
};

const FILES: HostFiles = {
  open: noent,
  lstat: noent,
  statfs: noent,
  readlink: noent,
  readdir: noent,
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
  interruptWait: () => undefined,
  drain: () => [],
};
