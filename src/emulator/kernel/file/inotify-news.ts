/** News of open files for inotify: of the file itself, and of its name for who watches the directory. */
import type { Machine } from '../../machine.js';
import { innerPath } from './file-system.js';
import { IN, identityOf } from './inotify-table.js';
import type { OpenFile } from './open-file.js';
import { parentOf } from './path-walk.js';
import { isDirectory } from './stat.js';

/** Tells who watches the directory of a path. */
export function tellEntry(machine: Machine, path: string, mask: number): void {
  const { inotify, mounts, root } = machine;
  if (inotify.isEmpty || root === undefined) return;
  const parent = parentOf(path);
  const mount = mounts.find(parent);
  const stat = mount.fs.lstat(innerPath(mount, parent), root);
  if (typeof stat === 'object') inotify.tell(identityOf(stat), mask, path.slice(path.lastIndexOf('/') + 1));
}

/** Something was done with an open file that has a name. */
export function tellOpen(machine: Machine, file: OpenFile, event: number): void {
  if (machine.inotify.isEmpty || file.path === undefined) return;
  const stat = file.stat();
  if (typeof stat === 'number') return;
  const mask = isDirectory(stat) ? event | IN.ISDIR : event;
  tellEntry(machine, file.path, mask);
  machine.inotify.tell(identityOf(stat), mask);
}

/** The last descriptor of the file goes. */
export function tellClosed(machine: Machine, file: OpenFile): void {
  tellOpen(machine, file, file.writable ? IN.CLOSE_WRITE : IN.CLOSE_NOWRITE);
}
