/** Errors of Node's calls as Linux error numbers. */
import { EIO, ERRNO, type ErrnoName } from '../kernel/errno.js';

/** The call's result, or -errno. What is no failure of the host is thrown on. */
export function attempt<T>(call: () => T): T | number {
  try {
    return call();
  } catch (error) {
    return -errnoOf(error);
  }
}

/** 0 or -errno. */
export function perform(call: () => void): number {
  try {
    call();
    return 0;
  } catch (error) {
    return -errnoOf(error);
  }
}

/** By name, since numbers differ between hosts. */
function errnoOf(error: unknown): number {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) throw error;
  return errorNumber(error);
}

/** The positive errno of an error that Node reported by an event; EIO for one that is none of the system's. */
export function errorNumber(error: Error): number {
  return 'code' in error ? (ERRNO[error.code as ErrnoName] ?? EIO) : EIO;
}
