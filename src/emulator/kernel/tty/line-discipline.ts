/**
 * The terminal's line discipline N_TTY on the way in (drivers/tty/n_tty.c): signals, editing of lines, echo, and what a read gets. Plain data; what it
 * has to say goes to its terminal.
 */
import { SIGNAL } from '../../signals.js';
import { PACKET } from './packet-mode.js';
import { CC, control, IFLAG, isSet, LFLAG, type Termios } from './termios.js';

/** Bytes that wait for a reader at most. */
const BUFFER = 4095;
const [BELL, BS, TAB, NL, CR, SPACE, CARET] = [7, 8, 9, 10, 13, 32, 94];

/** What the discipline asks of its terminal. */
export interface DisciplineOwner {
  readonly termios: Termios;
  /** Column of the cursor. */
  readonly column: number;
  /** Through output processing. */
  echo(bytes: readonly number[]): void;
  /** To the foreground group. */
  signal(signal: number): void;
  /** XOFF, XON. */
  pause(stopped: boolean): void;
  /** Echo that was not sent yet is dropped: that of what came in one piece. What was written stays. */
  dropEcho(): void;
  /** News (PACKET) for the other side of a pseudo-terminal. */
  tell(news: number): void;
}

interface Line {
  readonly bytes: number[];
  /** Ended by EOF: when its bytes are read it is over, and an empty one reads as the end of the file. */
  readonly isEnd: boolean;
}

export class LineDiscipline {
  /** Complete lines (canonical input). */
  private lines: Line[] = [];
  /** The line that is being edited. */
  private partial: number[] = [];
  /** Column where it began. */
  private startColumn = 0;
  /** Non-canonical input. */
  private raw: number[] = [];
  private literalNext = false;

  constructor(private readonly owner: DisciplineOwner) {}

  private get termios(): Termios {
    return this.owner.termios;
  }

  private has(flag: number): boolean {
    return isSet(this.termios, flag);
  }

  /** Bytes that may still come. Editing goes on when a line is full: what is too much is dropped. */
  get room(): number {
    return this.has(LFLAG.ICANON) ? BUFFER : BUFFER - this.raw.length;
  }

  /** FIONREAD: in canonical mode those of complete lines. */
  get available(): number {
    if (!this.has(LFLAG.ICANON)) return this.raw.length;
    return this.lines.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  /** A read would find a line, or enough bytes. */
  isReady(enough: number): boolean {
    return this.has(LFLAG.ICANON) ? this.lines.length > 0 : this.raw.length >= enough;
  }

  flush(): void {
    this.lines = [];
    this.partial = [];
    this.raw = [];
    this.literalNext = false;
  }

  /** The mode has changed: what waits is read as the new one has it. */
  switched(canonical: boolean): void {
    if (canonical) {
      if (this.raw.length > 0) this.lines = [{ bytes: this.raw, isEnd: true }];
      this.raw = [];
    } else {
      this.raw = [...this.lines.flatMap(({ bytes }) => bytes), ...this.partial];
      this.lines = [];
      this.partial = [];
    }
  }

  /** A line that somebody else has edited; an empty one is the end of the file. */
  acceptLine(bytes: Uint8Array): void {
    this.lines.push({ bytes: [...bytes], isEnd: bytes.at(-1) !== NL });
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.receiveOne(byte);
  }

  private receiveOne(received: number): void {
    const { iflag } = this.termios;
    let byte = iflag & IFLAG.ISTRIP ? received & 0x7f : received;
    if (this.literalNext) {
      this.literalNext = false;
      return this.store(byte);
    }
    if (iflag & IFLAG.IXON && this.flowControl(byte)) return;
    if (this.has(LFLAG.ISIG) && this.raisesSignal(byte)) return;
    if (byte === CR) {
      if (iflag & IFLAG.IGNCR) return;
      if (iflag & IFLAG.ICRNL) byte = NL;
    } else if (byte === NL && iflag & IFLAG.INLCR) byte = CR;
    if (this.has(LFLAG.ICANON) && this.edits(byte)) return;
    this.store(byte);
  }

  private flowControl(byte: number): boolean {
    const start = byte === control(this.termios, CC.START);
    const stop = byte === control(this.termios, CC.STOP);
    if (!start && !stop) return false;
    this.owner.pause(!start);
    return true;
  }

  private raisesSignal(byte: number): boolean {
    const found = SIGNALS.find(([place]) => byte === control(this.termios, place));
    if (found === undefined) return false;
    if (!this.has(LFLAG.NOFLSH)) {
      this.flush();
      this.owner.dropEcho();
      this.owner.tell(PACKET.FLUSHREAD | PACKET.FLUSHWRITE);
    }
    this.owner.signal(found[1]);
    if (this.termios.iflag & IFLAG.IXON) this.owner.pause(false);
    if (this.has(LFLAG.ECHO)) this.echo(byte);
    return true;
  }

  /** An ordinary character. */
  private store(byte: number): void {
    const canonical = this.has(LFLAG.ICANON);
    const into = canonical ? this.partial : this.raw;
    if (into.length >= BUFFER) {
      if (this.termios.iflag & IFLAG.IMAXBEL) this.owner.echo([BELL]);
      return;
    }
    if (canonical && this.partial.length === 0) this.startColumn = this.owner.column;
    if (this.has(LFLAG.ECHO)) {
      if (byte === NL) this.owner.echo([NL]);
      else this.echo(byte);
    } else if (byte === NL && canonical && this.has(LFLAG.ECHONL)) this.owner.echo([NL]);
    into.push(byte);
  }

  /** A control character is shown as ^X. */
  private echo(byte: number): void {
    this.owner.echo(this.shown(byte));
  }

  private shown(byte: number): readonly number[] {
    const isControl = (byte < SPACE && byte !== TAB) || byte === 127;
    return isControl && this.has(LFLAG.ECHOCTL) ? [CARET, byte ^ 0x40] : [byte];
  }

  /** Editing: true when the character is used up by it. */
  private edits(byte: number): boolean {
    const { termios } = this;
    const extended = this.has(LFLAG.IEXTEN);
    if (byte === control(termios, CC.ERASE)) return this.erase(1);
    if (byte === control(termios, CC.KILL)) return this.kill();
    if (extended && byte === control(termios, CC.WERASE)) return this.erase(this.wordLength());
    if (extended && byte === control(termios, CC.LNEXT)) return this.quoteNext();
    if (extended && byte === control(termios, CC.REPRINT)) return this.reprint(byte);
    if (byte === NL) return this.endLine(byte);
    if (byte === control(termios, CC.EOF)) return this.complete(true);
    const isEnd = byte === control(termios, CC.EOL) || (extended && byte === control(termios, CC.EOL2));
    return isEnd && this.endLine(byte);
  }

  private endLine(byte: number): true {
    if (byte === NL ? this.has(LFLAG.ECHO) || this.has(LFLAG.ECHONL) : this.has(LFLAG.ECHO)) {
      if (byte === NL) this.owner.echo([NL]);
      else this.echo(byte);
    }
    this.partial.push(byte);
    return this.complete(false);
  }

  private complete(isEnd: boolean): true {
    this.lines.push({ bytes: this.partial, isEnd });
    this.partial = [];
    return true;
  }

  private quoteNext(): true {
    this.literalNext = true;
    if (this.has(LFLAG.ECHO) && this.has(LFLAG.ECHOCTL)) this.owner.echo([CARET, BS]);
    return true;
  }

  private reprint(byte: number): true {
    if (this.has(LFLAG.ECHO))
      this.owner.echo([...this.shown(byte), NL, ...this.partial.flatMap((each) => this.shown(each))]);
    return true;
  }

  /** Characters of the last word, with what is behind it. */
  private wordLength(): number {
    let at = this.partial.length;
    while (at > 0 && !isWordPart(this.partial[at - 1] as number)) at--;
    while (at > 0 && isWordPart(this.partial[at - 1] as number)) at--;
    return this.partial.length - at;
  }

  private erase(count: number): true {
    for (let i = 0; i < count && this.partial.length > 0; i++) this.eraseCharacter();
    return true;
  }

  /** A character of UTF-8 may be several bytes. */
  private eraseCharacter(): void {
    let byte = this.partial.pop() as number;
    if (this.termios.iflag & IFLAG.IUTF8) {
      while ((byte & 0xc0) === 0x80 && this.partial.length > 0) byte = this.partial.pop() as number;
    }
    if (!this.has(LFLAG.ECHO)) return;
    if (!this.has(LFLAG.ECHOE)) return this.echo(control(this.termios, CC.ERASE));
    const width = byte === TAB ? this.tabWidth() : this.shown(byte).length;
    if (byte === TAB) this.owner.echo(Array<number>(width).fill(BS));
    else this.owner.echo(Array.from({ length: width }, () => [BS, SPACE, BS]).flat());
  }

  /** Columns that a tab behind the present line took. */
  private tabWidth(): number {
    let column = this.startColumn;
    for (const byte of this.partial) {
      if (byte === TAB) column = (column | 7) + 1;
      else if ((byte & 0xc0) !== 0x80) column += this.shown(byte).length;
    }
    return 8 - (column & 7);
  }

  private kill(): true {
    if (this.partial.length === 0) return true;
    if (!this.has(LFLAG.ECHO)) this.partial = [];
    else if (this.has(LFLAG.ECHOK) && this.has(LFLAG.ECHOKE) && this.has(LFLAG.ECHOE)) this.erase(this.partial.length);
    else {
      this.partial = [];
      this.echo(control(this.termios, CC.KILL));
      if (this.has(LFLAG.ECHOK)) this.owner.echo([NL]);
    }
    return true;
  }

  /** Bytes for a reader: of one line, or all that there are. 0: the end of the file, or none. */
  read(into: Uint8Array): number {
    if (!this.has(LFLAG.ICANON)) {
      const taken = this.raw.splice(0, into.length);
      into.set(taken);
      return taken.length;
    }
    const line = this.lines[0];
    if (line === undefined) return 0;
    const taken = line.bytes.splice(0, into.length);
    into.set(taken);
    if (line.bytes.length === 0) this.lines.shift();
    return taken.length;
  }
}

const SIGNALS = [
  [CC.INTR, SIGNAL.INT],
  [CC.QUIT, SIGNAL.QUIT],
  [CC.SUSP, SIGNAL.TSTP],
] as const;

function isWordPart(byte: number): boolean {
  return (
    (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122) || byte === 95 || byte > 127
  );
}
