/**
 * Text that breakpoints and tracepoints print beside the program: dprintf a hundred thousand times must not mean as many writes and packets. It is told in
 * pieces, in its order with what the program writes and with stops: whoever does either flushes it first.
 */
const PIECE = 8192;

export class PrintedText {
  private waiting = '';

  constructor(private readonly tell: (text: Uint8Array) => void) {}

  /** `text`: bytes, as latin-1. */
  add(text: string): void {
    this.waiting += text;
    if (this.waiting.length >= PIECE) this.flush();
  }

  flush(): void {
    if (this.waiting === '') return;
    const text = Buffer.from(this.waiting, 'latin1');
    this.waiting = '';
    this.tell(text);
  }
}
