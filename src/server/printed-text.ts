/**
 * Text that breakpoints and tracepoints print beside the program: dprintf a hundred thousand times must not mean as many writes and packets. It is told in
 * pieces, in its order with what the program writes and with stops: whoever does either flushes it first.
 */
const PIECE = 8192;

export class PrintedText {
  private waiting: Uint8Array[] = [];
  private length = 0;

  constructor(private readonly tell: (text: Uint8Array) => void) {}

  add(text: Uint8Array): void {
    this.waiting.push(text);
    this.length += text.length;
    if (this.length >= PIECE) this.flush();
  }

  flush(): void {
    if (this.length === 0) return;
    const text = Buffer.concat(this.waiting);
    this.waiting = [];
    this.length = 0;
    this.tell(text);
  }
}
