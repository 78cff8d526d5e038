/** Refusals of the probe engine. Numbers are Linux errnos, but for ENOTSUPP, which Linux uses inside the kernel for what uprobes refuse. */

const ERRNO = {
  EPERM: 1,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  E2BIG: 7,
  ENOEXEC: 8,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EINVAL: 22,
  ENOSPC: 28,
  EINPROGRESS: 115,
  ENOTSUPP: 524,
} as const;

export type ProbeErrorName = keyof typeof ERRNO;

/** Why the engine does not do what it was asked, or (EINPROGRESS) not yet. */
export interface ProbeError {
  readonly name: ProbeErrorName;
  readonly errno: number;
  /** A sentence for a person. */
  readonly reason: string;
}

export function probeError(name: ProbeErrorName, reason: string): ProbeError {
  return { name, errno: ERRNO[name], reason };
}

/** Narrows the result of an operation whose success has a type of its own. */
export function isProbeError<T extends object>(result: T | ProbeError): result is ProbeError {
  return 'errno' in result && 'reason' in result;
}
