/** The files that one client has open: descriptors are its own and all of them close when it goes. */
import type { HostFile } from './target-abilities.js';

const MAX_FILES = 64;

export class FileTable {
  private readonly files = new Map<number, HostFile>();

  get full(): boolean {
    return this.files.size >= MAX_FILES;
  }

  /** Takes the lowest free descriptor. Check `full` first. */
  add(file: HostFile): number {
    let descriptor = 0;
    while (this.files.has(descriptor)) descriptor++;
    this.files.set(descriptor, file);
    return descriptor;
  }

  get(descriptor: number): HostFile | undefined {
    return this.files.get(descriptor);
  }

  /** False: there is no such descriptor. */
  close(descriptor: number): boolean {
    this.files.get(descriptor)?.close();
    return this.files.delete(descriptor);
  }

  closeAll(): void {
    for (const file of this.files.values()) file.close();
    this.files.clear();
  }
}
