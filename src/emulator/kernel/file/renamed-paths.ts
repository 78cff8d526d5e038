/** Working directories and open files are known by their paths: they follow when a directory above them is renamed. */
import type { Machine } from '../../machine.js';
import { FileTable } from './file-table.js';
import { isBelow } from './path-walk.js';

export function pathRenamed(machine: Machine, from: string, to: string): void {
  const moved = (path: string): string => (isBelow(path, from) ? to + path.slice(from.length) : path);
  for (const process of machine.processes.values()) {
    process.fs.cwd = moved(process.fs.cwd);
    process.fs.root = moved(process.fs.root);
    process.image.exe = moved(process.image.exe);
    if (process.files instanceof FileTable) renameOpen(process.files, moved);
  }
}

/** A file in several tables is moved once: afterwards it no longer lies below the old path. */
function renameOpen(files: FileTable, moved: (path: string) => string): void {
  for (const fd of files.numbers()) {
    const file = files.get(fd);
    if (file?.path !== undefined) file.path = moved(file.path);
  }
}
