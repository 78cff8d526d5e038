/** The host's cache in memory. `end` is what the end of the server is to those who keep something. */
import type { HostCache } from '../../../src/emulator/host/host.js';

export class MemoryCache implements HostCache {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  writes = 0;
  private readonly savers: (() => void)[] = [];

  read(name: string): Uint8Array<ArrayBuffer> | undefined {
    return this.files.get(name);
  }

  write(name: string, parts: readonly Uint8Array[]): void {
    this.files.set(name, Uint8Array.from(parts.flatMap((part) => [...part])));
    this.writes++;
  }

  atEnd(save: () => void): void {
    this.savers.push(save);
  }

  end(): void {
    for (const save of this.savers.splice(0)) save();
  }
}
