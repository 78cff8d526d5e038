/** What becomes of bytes on their way out (drivers/tty/n_tty.c, do_output_char), and in which column they leave the cursor. */
import { OFLAG, type Termios } from './termios.js';

const [BS, TAB, NL, CR] = [8, 9, 10, 13];
const SPACE = 32;

export class OutputProcessor {
  column = 0;

  /** The bytes that the device gets for one. */
  process({ oflag }: Termios, byte: number): readonly number[] {
    if (!(oflag & OFLAG.OPOST)) return [byte];
    switch (byte) {
      case NL:
        if (oflag & (OFLAG.ONLRET | OFLAG.ONLCR)) this.column = 0;
        return oflag & OFLAG.ONLCR ? [CR, NL] : [NL];
      case CR:
        if (oflag & OFLAG.ONOCR && this.column === 0) return [];
        if (oflag & OFLAG.OCRNL) {
          if (oflag & OFLAG.ONLRET) this.column = 0;
          return [NL];
        }
        this.column = 0;
        return [CR];
      case TAB: {
        const width = 8 - (this.column & 7);
        this.column += width;
        return (oflag & OFLAG.XTABS) === OFLAG.XTABS ? Array<number>(width).fill(SPACE) : [TAB];
      }
      case BS:
        if (this.column > 0) this.column--;
        return [BS];
      default:
        if (byte >= SPACE && byte !== 127 && (byte & 0xc0) !== 0x80) this.column++;
        return [byte];
    }
  }
}

/** More than one byte becomes at most: a tab's spaces. */
export const WIDEST = 8;
