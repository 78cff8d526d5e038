/** Reads the encodings of DWARF (version 5, chapter 7) from a section. Throws a RangeError behind its end. */
import { cString } from '../elf-file.js';

export class DwarfCursor {
  private readonly view: DataView;
  at: number;

  constructor(
    readonly bytes: Uint8Array,
    at = 0,
    /** First offset that is not the reader's any more. */
    readonly end = bytes.length,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    if (at > end || end > bytes.length) throw new RangeError(`offset ${at} is outside of the section`);
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  skip(bytes: number): void {
    this.at += bytes;
  }

  u8(): number {
    return this.view.getUint8(this.at++);
  }

  s8(): number {
    return this.view.getInt8(this.at++);
  }

  u16(): number {
    this.at += 2;
    return this.view.getUint16(this.at - 2, true);
  }

  s16(): number {
    this.at += 2;
    return this.view.getInt16(this.at - 2, true);
  }

  u32(): number {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  s32(): number {
    this.at += 4;
    return this.view.getInt32(this.at - 4, true);
  }

  u64(): number {
    this.at += 8;
    return Number(this.view.getBigUint64(this.at - 8, true));
  }

  s64(): number {
    this.at += 8;
    return Number(this.view.getBigInt64(this.at - 8, true));
  }

  /** `size` bytes: 1, 2, 3, 4 or 8. */
  uint(size: number): number {
    switch (size) {
      case 1:
        return this.u8();
      case 2:
        return this.u16();
      case 3:
        return this.u16() + 0x1_0000 * this.u8();
      case 4:
        return this.u32();
      case 8:
        return this.u64();
      default:
        throw new RangeError(`no integer has ${size} bytes`);
    }
  }

  /** LEB128. Exact below 2^53. */
  uleb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return (byte & 0x40) !== 0 ? value - factor * 128 : value;
    }
  }

  string(): string {
    const text = cString(this.bytes, this.at);
    this.at = this.bytes.indexOf(0, this.at) + 1;
    return text;
  }

  /** The length of a unit and whether its offsets have 4 or 8 bytes. */
  initialLength(): { length: number; offsetSize: 4 | 8 } {
    const length = this.u32();
    return length === 0xffff_ffff ? { length: this.u64(), offsetSize: 8 } : { length, offsetSize: 4 };
  }
}
