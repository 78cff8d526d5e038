/** One line on a terminal that is written over again and again: how far a long run is. */

export interface Terminal {
  readonly isTerminal: boolean;
  write(text: string): void;
}

const ERASE = '\r\x1b[K';
const INTERVAL_MS = 1000;

export class StatusLine {
  private timer: NodeJS.Timeout | undefined;
  private isShown = false;

  constructor(
    private readonly terminal: Terminal,
    private readonly text: (seconds: number) => string,
  ) {}

  /** Nothing is shown in the first second, and nothing at all where there is no terminal. */
  start(): void {
    if (!this.terminal.isTerminal) return;
    let seconds = 0;
    this.timer = setInterval(() => this.show(this.text(++seconds)), INTERVAL_MS);
    this.timer.unref();
  }

  /** Something else is going to be written. */
  clear(): void {
    if (this.isShown) this.terminal.write(ERASE);
    this.isShown = false;
  }

  stop(): void {
    clearInterval(this.timer);
    this.clear();
  }

  show(text: string): void {
    this.terminal.write(`${ERASE}${text}`);
    this.isShown = true;
  }
}
