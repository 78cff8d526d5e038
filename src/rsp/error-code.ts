/**
 * Refusals. Numbers are Linux errnos, which gdb prints and does not interpret; a reason is a sentence for a person, sent as
 * `E.reason` where the client takes that.
 */

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const EBADF = 9;
export const EFAULT = 14;
export const EBUSY = 16;
export const EINVAL = 22;
export const EMFILE = 24;
export const ENOSPC = 28;

/** Why the target does not do what it was asked. */
export interface Rejected {
  readonly errno: number;
  readonly reason?: string;
}

export function rejected(errno: number, reason?: string): Rejected {
  return reason === undefined ? { errno } : { errno, reason };
}

/** Narrows the result of an operation whose success has a type of its own. */
export function isRejected<T extends object>(result: T | Rejected): result is Rejected {
  return 'errno' in result;
}
