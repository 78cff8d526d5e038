/** Linux's open flags as the host's. Those that are not listed are the guest's own business and never reach the host. */
import { constants } from 'node:fs';
import { O } from '../kernel/file/open-file.js';

const TRANSLATION: readonly (readonly [linux: number, host: number])[] = [
  [O.CREAT, constants.O_CREAT],
  [O.EXCL, constants.O_EXCL],
  [O.TRUNC, constants.O_TRUNC],
  [O.DIRECTORY, constants.O_DIRECTORY],
  [O.NOATIME, constants.O_NOATIME],
  [O.SYNC, constants.O_SYNC],
  [O.DSYNC, constants.O_DSYNC],
];

/** Never blocks, never takes a controlling terminal, never follows a link. */
const ALWAYS = constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const ACCESS = [constants.O_RDONLY, constants.O_WRONLY, constants.O_RDWR] as const;
const WRITES = O.WRONLY | O.RDWR | O.CREAT | O.TRUNC;

export function hostFlags(flags: number): number {
  const set = TRANSLATION.filter(([linux]) => (flags & linux) === linux).reduce((all, [, host]) => all | host, 0);
  return (ACCESS[flags & O.ACCMODE] ?? constants.O_RDWR) | set | ALWAYS;
}

/** Would opening with these flags change anything? */
export function mayWrite(flags: number): boolean {
  return (flags & WRITES) !== 0;
}
