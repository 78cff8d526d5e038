/** /proc/PID/mounts and mountinfo (fs/proc_namespace.c). */
import type { Machine } from '../../machine.js';
import type { Process } from '../../process.js';
import { deviceNumbers } from '../file/device-number.js';
import { innerPath, type Mount } from '../file/file-system.js';
import { isBelow, parentOf } from '../file/path-walk.js';

/** Mounts that lie inside the process's root, with the place as it sees it. */
function visible({ mounts }: Machine, { fs: { root } }: Process): [mount: Mount, at: string][] {
  return mounts
    .list()
    .filter(({ at }) => isBelow(at, root))
    .map((mount) => [mount, root === '/' ? mount.at : mount.at === root ? '/' : mount.at.slice(root.length)]);
}

export function mounts(machine: Machine, process: Process): string {
  const rows = visible(machine, process).map(([{ source, fs, options }, at]) => {
    return `${source} ${at} ${fs.type} ${options} 0 0\n`;
  });
  return rows.join('');
}

export function mountinfo(machine: Machine, process: Process): string {
  const rows = visible(machine, process).map(([mount, at]) => {
    const { fs, source, options } = mount;
    const stat = fs.lstat(innerPath(mount, mount.at), process);
    const [major, minor] = deviceNumbers(typeof stat === 'object' ? stat.device : 0);
    const parent = mount.at === '/' ? ROOT_PARENT : machine.mounts.find(parentOf(mount.at)).id;
    return `${mount.id} ${parent} ${major}:${minor} / ${at} ${options} - ${fs.type} ${source} rw\n`;
  });
  return rows.join('');
}

const ROOT_PARENT = 1;
