/** A file that is written from the front, in large pieces. */
import { closeSync, openSync } from 'node:fs';
import { writeAll } from './write-all.js';

const PIECE = 1 << 16;

export class TextFile {
  private readonly descriptor: number;
  private waiting: string[] = [];
  private length = 0;

  /** Made anew. Throws what Node says when it cannot be. */
  constructor(path: string) {
    this.descriptor = openSync(path, 'w');
  }

  write(text: string): void {
    this.waiting.push(text);
    this.length += text.length;
    if (this.length >= PIECE) this.flush();
  }

  close(): void {
    this.flush();
    closeSync(this.descriptor);
  }

  private flush(): void {
    writeAll(this.descriptor, this.waiting.join(''));
    this.waiting = [];
    this.length = 0;
  }
}
