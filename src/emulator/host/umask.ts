/** The server's umask, for as long as one call. */

/** Creates under the given umask instead of the server's own. */
export function withUmask<T>(umask: number, create: () => T): T {
  const own = process.umask(umask);
  try {
    return create();
  } finally {
    process.umask(own);
  }
}
