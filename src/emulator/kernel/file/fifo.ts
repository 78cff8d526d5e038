/** FIFOs of the file tree: guests that open one meet in the emulator, never in the host's FIFO. */
import type { Machine } from '../../machine.js';
import { innerPath } from './file-system.js';
import { Pipe } from './pipe.js';
import type { FileStat } from './stat.js';

/** The pipe behind a FIFO: the one that somebody has open, or a fresh one. */
export function fifoAt(machine: Machine, { device, inode }: FileStat, path: string): Pipe {
  const key = `${device}:${inode}`;
  const open = machine.fifos.get(key);
  if (open !== undefined && open.readers + open.writers > 0) return open;
  const stat = (): FileStat | number => {
    const mount = machine.mounts.find(path);
    return mount.fs.lstat(innerPath(mount, path), machine.root as NonNullable<Machine['root']>);
  };
  const pipe = new Pipe(machine, path, () => ({ stat }));
  machine.fifos.set(key, pipe);
  return pipe;
}
