/** /dev: what a program expects of it, and nothing of the host's. */
import type { Machine } from '../../machine.js';
import { CONSOLE_NODE, PTMX_NODE, TTY_NODE } from '../tty/devpts.js';
import { deviceNumber } from './device-number.js';
import { type Device, FullDevice, NullDevice, RandomDevice, ZeroDevice } from './devices.js';
import { S } from './stat.js';
import {
  type DirectoryNode,
  fixedDirectory,
  type LinkNode,
  type SpecialNode,
  SyntheticFileSystem,
} from './synthetic-fs.js';

type DeviceClass = new (machine: Machine, flags: number, path: string) => Device;

function memoryDevice(minor: number, Kind: DeviceClass): SpecialNode {
  return {
    kind: 'special',
    type: S.IFCHR,
    mode: 0o666,
    rdevice: deviceNumber(1, minor),
    open: ({ machine }, flags, path) => new Kind(machine, flags, path),
  };
}

function link(target: string): LinkNode {
  return { kind: 'link', target, size: target.length };
}

/** Mount points of other file systems. */
const MOUNT_POINT = fixedDirectory({}, { mode: 0o755 });

const ROOT: DirectoryNode = fixedDirectory(
  {
    console: CONSOLE_NODE,
    fd: link('/proc/self/fd'),
    full: memoryDevice(7, FullDevice),
    null: memoryDevice(3, NullDevice),
    ptmx: PTMX_NODE,
    pts: MOUNT_POINT,
    random: memoryDevice(8, RandomDevice),
    shm: MOUNT_POINT,
    stderr: link('/proc/self/fd/2'),
    stdin: link('/proc/self/fd/0'),
    stdout: link('/proc/self/fd/1'),
    tty: TTY_NODE,
    urandom: memoryDevice(9, RandomDevice),
    zero: memoryDevice(5, ZeroDevice),
  },
  { mode: 0o755 },
);

const TMPFS_MAGIC = 0x0102_1994;

export function devFileSystem(machine: Machine): SyntheticFileSystem {
  return new SyntheticFileSystem(machine, { type: 'devtmpfs', magic: TMPFS_MAGIC, device: 6 }, () => ROOT);
}
