/** Extended attributes (fs/xattr.c): Node has no calls for them, so no file has any (docs/linux.md). Listing says so without an error, as `ls` and `cp` like it. */
import { EBADF, EFAULT, ENOENT, EOPNOTSUPP } from '../errno.js';
import type { SyscallContext, SyscallRow } from '../syscall-table.js';
import { fileAt } from './descriptors.js';
import type { OpenFile } from './open-file.js';
import { AT, type Located, locateAt } from './path-walk.js';

const NAME_MAX = 255;

function noXattr(located: (context: SyscallContext) => Located | OpenFile | number | undefined, errno: number) {
  return (context: SyscallContext): number => {
    const found = located(context) ?? -EBADF;
    if (typeof found === 'number') return found;
    if ('inner' in found && found.stat === undefined) return -ENOENT;
    return errno === 0 ? 0 : attributeName(context, errno);
  };
}

function attributeName({ memory, args }: SyscallContext, errno: number): number {
  const name = memory.readCString(args[1] as number, NAME_MAX + 1);
  return name === undefined ? -EFAULT : -errno;
}

const followed = (context: SyscallContext): Located | number =>
  locateAt(context, AT.FDCWD, context.args[0] as number, 0, { follow: true });
const unfollowed = (context: SyscallContext): Located | number =>
  locateAt(context, AT.FDCWD, context.args[0] as number, 0, { follow: false });
const opened = (context: SyscallContext): OpenFile | undefined => fileAt(context);

const XATTR_ROWS = [
  ['setxattr', 188, EOPNOTSUPP],
  ['getxattr', 191, EOPNOTSUPP],
  ['listxattr', 194, 0],
  ['removexattr', 197, EOPNOTSUPP],
] as const;

export const xattrSyscalls: readonly SyscallRow[] = XATTR_ROWS.flatMap(([name, nr, errno]) => [
  { nr, name, run: noXattr(followed, errno) },
  { nr: nr + 1, name: `l${name}`, run: noXattr(unfollowed, errno) },
  { nr: nr + 2, name: `f${name}`, run: noXattr(opened, errno) },
]);
