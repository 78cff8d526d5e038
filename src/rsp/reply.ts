/**
 * The body of one reply while a handler builds it. Text and hex go out as they are; bytes that may hold anything are escaped,
 * because `#` and `$` end a frame and `*` starts a run to every client.
 */
import type { Rejected } from './error-code.js';

const ESCAPE = 0x7d;
const ESCAPE_XOR = 0x20;
const HEX = Buffer.from('0123456789abcdef');

/** Characters that text may not hold: `#` `$` `*` `}`. */
const FORBIDDEN = /[#$*}]/;

/**
 * - open: the handler has not answered
 * - body: it has (an empty body says "not supported")
 * - later: the answer is the next stop reply, or there is none (`k`)
 */
type ReplyState = 'open' | 'body' | 'later';

/** One for each session, reused packet by packet. */
export class Reply {
  private buffer = Buffer.allocUnsafe(4096);
  private size = 0;
  private current: ReplyState = 'open';
  /** Whether the packet being answered may get `E.text`: gdb before 15 takes it from some packets only. */
  acceptsErrorText = false;

  /** Reasons follow the number in hex, as lldb asks for. */
  hexReasons = false;

  get state(): ReplyState {
    return this.current;
  }

  /** The body so far, borrowed. */
  get body(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  reset(acceptsErrorText: boolean): void {
    this.size = 0;
    this.current = 'open';
    this.acceptsErrorText = acceptsErrorText;
  }

  ok(): void {
    this.text('OK');
  }

  /** Not supported. */
  empty(): void {
    this.current = 'body';
  }

  /** The answer comes with the next stop, or never. */
  later(): void {
    this.current = 'later';
  }

  error(errno: number, reason?: string): void {
    this.size = 0;
    const number = (errno & 0xff).toString(16).padStart(2, '0');
    if (reason !== undefined && this.hexReasons) this.text(`E${number};`).hex(Buffer.from(reason));
    else if (reason !== undefined && this.acceptsErrorText) this.text(`E.${printable(reason)}`);
    else this.text(`E${number}`);
  }

  /** `OK`, or the error. */
  outcome(refusal: Rejected | undefined): void {
    if (refusal === undefined) this.ok();
    else this.error(refusal.errno, refusal.reason);
  }

  /** Text that the protocol defines; it must not need escaping. */
  text(text: string): this {
    if (FORBIDDEN.test(text)) throw new Error(`text reply needs escaping: ${JSON.stringify(text)}`);
    return this.append(Buffer.from(text, 'latin1'));
  }

  /** Bytes as pairs of hex digits. */
  hex(bytes: Uint8Array): this {
    this.reserve(bytes.length * 2);
    for (const byte of bytes) {
      this.buffer[this.size++] = HEX[byte >> 4] ?? 0;
      this.buffer[this.size++] = HEX[byte & 15] ?? 0;
    }
    this.current = 'body';
    return this;
  }

  /** Bytes that may have any value, escaped. */
  binary(bytes: Uint8Array): this {
    this.reserve(bytes.length * 2);
    for (const byte of bytes) {
      const escaped = needsEscape(byte);
      if (escaped) this.buffer[this.size++] = ESCAPE;
      this.buffer[this.size++] = escaped ? byte ^ ESCAPE_XOR : byte;
    }
    this.current = 'body';
    return this;
  }

  private append(bytes: Uint8Array): this {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.size);
    this.size += bytes.length;
    this.current = 'body';
    return this;
  }

  private reserve(extra: number): void {
    if (this.size + extra <= this.buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.size + extra));
    larger.set(this.body);
    this.buffer = larger;
  }
}

function needsEscape(byte: number): boolean {
  return byte === 0x23 || byte === 0x24 || byte === 0x2a || byte === ESCAPE;
}

/** How many of the bytes fit into `room` once escaped. */
export function fittingLength(bytes: Uint8Array, room: number): number {
  let used = 0;
  for (let i = 0; i < bytes.length; i++) {
    used += needsEscape(bytes[i] ?? 0) ? 2 : 1;
    if (used > room) return i;
  }
  return bytes.length;
}

function printable(reason: string): string {
  return reason.replace(/[^\x20-\x7e]|[#$*}]/g, '?');
}
