/** What is mounted where in every machine. */
import type { Machine } from '../../machine.js';
import { procFileSystem } from '../procfs/proc-fs.js';
import { sysFileSystem } from '../procfs/sys-fs.js';
import { devptsFileSystem } from '../tty/devpts.js';
import { devFileSystem } from './dev-fs.js';
import { HostFileSystem } from './host-fs.js';
import { MemoryFileSystem } from './memory-fs.js';

/** Mounts the host's files and the synthetic file systems: part of making a machine. */
export function mountAll(machine: Machine): void {
  const { mounts } = machine;
  mounts.add('/', new HostFileSystem(machine), '/dev/root');
  mounts.add('/dev', devFileSystem(machine), 'devtmpfs', 'rw,nosuid,relatime');
  mounts.add('/proc', procFileSystem(machine), 'proc', 'rw,nosuid,nodev,noexec,relatime');
  mounts.add('/sys', sysFileSystem(machine), 'sysfs', 'ro,nosuid,nodev,noexec,relatime');
  mounts.add('/dev/pts', devptsFileSystem(machine), 'devpts', 'rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000');
  mounts.add('/dev/shm', new MemoryFileSystem(machine), 'tmpfs', 'rw,nosuid,nodev,relatime');
}
