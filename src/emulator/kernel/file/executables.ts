/** How the loader reaches programs (fs/exec.c, do_open_execat). */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import type { ExecutableFile, ExecutableSource } from '../../program-loader.js';
import { EACCES, ELOOP, ENOENT } from '../errno.js';
import type { FileOwner } from '../exec-credentials.js';
import { O, type OpenFile } from './open-file.js';
import { AT, type Located, locateText } from './path-walk.js';
import { MAY, mayUse, permits } from './permission.js';
import { type FileStat, isLink, S, typeOf } from './stat.js';

export class Executables implements ExecutableSource {
  open(machine: Machine, process: Process, path: string, directory: number, flags: number): ExecutableFile | number {
    const follow = !(flags & AT.SYMLINK_NOFOLLOW);
    const found = locateText({ machine, process }, directory, path, flags, { follow });
    if (typeof found === 'number') return found;
    const { stat } = found;
    if (stat === undefined) return -ENOENT;
    if (isLink(stat)) return -ELOOP;
    const refusal = mayExecute(machine, process, found, stat);
    if (refusal !== 0) return refusal;
    const owner = ownerOf(stat, found);
    return found.file === undefined ? openNamed(machine, process, found, owner) : backingOf(found.file, owner);
  }
}

function mayExecute(machine: Machine, process: Process, { mount, inner, file }: Located, stat: FileStat): number {
  if (typeOf(stat) !== S.IFREG || mount.options.includes('noexec')) return -EACCES;
  if (!mayUse(machine, process, stat, MAY.EXEC)) return -EACCES;
  if (file !== undefined) return permits(process.credentials, stat, MAY.EXEC) ? 0 : -EACCES;
  return mount.fs.changes?.access(inner, MAY.EXEC) ?? -EACCES;
}

/** Set-group-id without group execution means mandatory locking. */
function ownerOf({ mode, uid, gid }: FileStat, { mount }: Located): FileOwner {
  const honoured = !mount.options.includes('nosuid');
  const setGroup = S.ISGID | 0o010;
  return {
    setUser: honoured && (mode & S.ISUID) !== 0 ? uid : undefined,
    setGroup: honoured && (mode & setGroup) === setGroup ? gid : undefined,
  };
}

function openNamed(machine: Machine, process: Process, found: Located, owner: FileOwner): ExecutableFile | number {
  const request = {
    opener: { machine, process },
    path: found.inner,
    fullPath: found.path,
    flags: O.RDONLY,
    mode: 0,
    umask: 0,
  };
  const file = found.mount.fs.open(request);
  if (typeof file === 'number') return file;
  const program = backingOf(file, owner);
  file.release();
  return program;
}

/** A user of the file for the loader. */
function backingOf(file: OpenFile, owner: FileOwner): ExecutableFile | number {
  const backing = file.backing();
  if (backing === undefined) return -EACCES;
  backing.retain();
  return { file: backing, path: file.path ?? file.name(), owner };
}
