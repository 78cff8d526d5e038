/**
 * Reads a packet's arguments from left to right. What is not there, or not a number, is a MalformedPacket, which the session
 * answers; no method returns a guess. Numbers are hexadecimal, as everywhere in the protocol.
 */

export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket';
}

const MAX_DIGITS = 16;

/** Lives while one packet is handled; the bytes are borrowed from the frame decoder. */
export class PacketCursor {
  private position: number;

  constructor(
    private readonly body: Uint8Array,
    start = 0,
  ) {
    this.position = start;
  }

  get atEnd(): boolean {
    return this.position >= this.body.length;
  }

  malformed(reason: string): never {
    throw new MalformedPacket(`${reason} at ${this.position}`);
  }

  /** Nothing may follow. */
  end(): void {
    if (!this.atEnd) this.malformed('unexpected rest');
  }

  /** Takes the character if it is next. */
  optional(character: string): boolean {
    if (!this.next(character)) return false;
    this.position++;
    return true;
  }

  /** Is the character next? It stays. */
  next(character: string): boolean {
    return this.body[this.position] === character.charCodeAt(0);
  }

  /** Takes the word if it is next. */
  keyword(word: string): boolean {
    const end = this.position + word.length;
    if (Buffer.from(this.body.subarray(this.position, end)).toString('latin1') !== word) return false;
    this.position = end;
    return true;
  }

  /** A place to come back to with `since`. */
  mark(): number {
    return this.position;
  }

  /** The text between the mark and here. */
  since(mark: number): string {
    return Buffer.from(this.body.subarray(mark, this.position)).toString('latin1');
  }

  expect(character: string): void {
    if (!this.optional(character)) this.malformed(`no '${character}'`);
  }

  comma(): void {
    this.expect(',');
  }

  colon(): void {
    this.expect(':');
  }

  semicolon(): void {
    this.expect(';');
  }

  /** An unsigned 64-bit number. */
  bigint(): bigint {
    const digits = this.digits();
    if (digits.length > MAX_DIGITS) this.malformed('a number exceeds 64 bits');
    return BigInt(`0x${digits}`);
  }

  /** A guest address as sent: unsigned 64-bit, maybe non-canonical. */
  address(): bigint {
    return this.bigint();
  }

  /** A number that fits in 32 bits: ids, signals, descriptors. */
  number(): number {
    const value = this.bigint();
    if (value > 0xffff_ffffn) this.malformed('a number exceeds 32 bits');
    return Number(value);
  }

  /** A count of bytes. Absurd ones become the largest exact integer: who asks for them gets what there is. */
  length(): number {
    const value = this.bigint();
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
  }

  /** Digits of any number. */
  skipHex(): void {
    this.digits();
  }

  /** Bytes as pairs of hex digits, up to the first other character. */
  hexBytes(): Uint8Array {
    const digits = this.run(isHexDigit);
    if (digits.length % 2 !== 0) this.malformed('odd number of hex digits');
    return Buffer.from(digits, 'hex');
  }

  /** This many bytes as pairs of hex digits. */
  hexBytesOf(count: number): Uint8Array {
    const digits = Buffer.from(this.take(2 * count));
    if (!digits.every(isHexDigit)) this.malformed('not a hex digit');
    return Buffer.from(digits.toString('latin1'), 'hex');
  }

  /** A path, name or command as pairs of hex digits. */
  hexText(): string {
    return Buffer.from(this.hexBytes()).toString('utf8');
  }

  /** Text up to one of these characters, which stays, or to the end. */
  textUntil(stops: string): string {
    return this.run((byte) => !stops.includes(String.fromCharCode(byte)));
  }

  /** Everything that is left, borrowed. */
  rest(): Uint8Array {
    const rest = this.body.subarray(this.position);
    this.position = this.body.length;
    return rest;
  }

  restText(): string {
    return Buffer.from(this.rest()).toString('latin1');
  }

  /** This many of the following bytes, borrowed. */
  take(count: number): Uint8Array {
    if (count > this.body.length - this.position) this.malformed('bytes are missing');
    const taken = this.body.subarray(this.position, this.position + count);
    this.position += count;
    return taken;
  }

  private digits(): string {
    const digits = this.run(isHexDigit);
    if (digits === '') this.malformed('no number');
    return digits;
  }

  private run(accepts: (byte: number) => boolean): string {
    const start = this.position;
    let end = start;
    for (let byte = this.body[end]; byte !== undefined && accepts(byte); byte = this.body[end]) end++;
    this.position = end;
    return Buffer.from(this.body.buffer, this.body.byteOffset + start, end - start).toString('latin1');
  }
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46);
}
