/** What open directories of every file system have in common: they are read by getdents64(2) alone, and their positions are numbers of entries. */
import { EINVAL, EISDIR } from '../errno.js';
import { OpenFile } from './open-file.js';

export abstract class OpenDirectory extends OpenFile {
  override get isSeekable(): boolean {
    return true;
  }

  override read(): number {
    return -EISDIR;
  }

  override pread(): number {
    return -EISDIR;
  }

  override seek(offset: number, whence: number): number {
    const to = whence === 0 ? offset : whence === 1 ? this.offset + offset : -1;
    if (to < 0) return -EINVAL;
    this.offset = to;
    return to;
  }
}
