/** Writing to an inherited descriptor that whoever started us may have made non-blocking: waits where the other end does not read. */
import { writeSync } from 'node:fs';

const RETRY_MS = 5;
const pause = new Int32Array(new SharedArrayBuffer(4));

export function writeAll(fd: number, data: string | Uint8Array): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') Atomics.wait(pause, 0, 0, RETRY_MS);
      // Nobody reads any more: what we would say has no reader.
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE') return;
      else throw error;
    }
  }
}
