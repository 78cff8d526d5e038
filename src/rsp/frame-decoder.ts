/**
 * Bytes from the client -> packets, acknowledgements and breaks (gdb manual, "Overview" of the remote protocol):
 * `$body#xx`, `+`, `-`, 0x03. One state and one table look-up a byte, so a cut anywhere changes nothing.
 */

/** What the decoder reports, in order of arrival. */
export interface FrameSink {
  /** An unescaped body, borrowed: valid during the call only. `intact`: the checksum was right. */
  packet(body: Uint8Array, intact: boolean): void;
  /** A packet is longer than the limit; the rest of it is skipped. */
  oversized(): void;
  ack(): void;
  nak(): void;
  /** The byte 0x03 between packets. */
  break(): void;
}

const DOLLAR = 0x24;
const HASH = 0x23;
const BRACE = 0x7d;
const PLUS = 0x2b;
const MINUS = 0x2d;
const BREAK = 0x03;
const ESCAPE_XOR = 0x20;

/** States, as rows of the table. SKIP: inside a packet that is too long. */
const IDLE = 0;
const BODY = 1;
const ESCAPE = 2;
const SUM_HIGH = 3;
const SUM_LOW = 4;
const SKIP = 5;
const SKIP_HIGH = 6;
const SKIP_LOW = 7;

/**
 * A `$` always starts a packet: clients escape it inside one, so an unescaped one means that the packet before was cut off. 0x03 is data
 * inside a packet.
 */
const NEXT = buildTable();

function buildTable(): Uint8Array {
  const table = new Uint8Array(8 * 256);
  const fill = (state: number, next: number, exceptions: readonly (readonly [byte: number, next: number])[] = []) => {
    table.fill(next, state << 8, (state + 1) << 8);
    for (const [byte, to] of [[DOLLAR, BODY] as const, ...exceptions]) table[(state << 8) | byte] = to;
  };
  const inPacket = [[HASH, SUM_HIGH] as const, [BRACE, ESCAPE] as const];
  fill(IDLE, IDLE);
  fill(BODY, BODY, inPacket);
  fill(ESCAPE, BODY, [[HASH, SUM_HIGH]]);
  fill(SUM_HIGH, SUM_LOW);
  fill(SUM_LOW, IDLE);
  fill(SKIP, SKIP, [[HASH, SKIP_HIGH]]);
  fill(SKIP_HIGH, SKIP_LOW);
  fill(SKIP_LOW, IDLE);
  return table;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** One for each connection. */
export class FrameDecoder {
  private body = new Uint8Array(1024);
  private length = 0;
  private state = IDLE;
  private sum = 0;
  private sumHigh = 0;
  private begun = 0;

  /** `limit`: the longest body, after unescaping. */
  constructor(private readonly limit: number) {}

  /** Number of the packet that has begun and is not complete; undefined: none is. */
  get unfinished(): number | undefined {
    return this.state === IDLE ? undefined : this.begun;
  }

  /** Runs over every byte a client sends. */
  push(chunk: Uint8Array, sink: FrameSink): void {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] ?? 0;
      const state = this.state;
      const next = NEXT[(state << 8) | byte] ?? IDLE;
      this.state = next;
      if (next === BODY) this.inBody(state, byte, sink);
      else if (next === ESCAPE) this.sum += byte;
      else if (next === SUM_LOW) this.sumHigh = hexDigit(byte);
      else if (state === SUM_LOW) this.complete(byte, sink);
      else if (state === IDLE) this.outside(byte, sink);
    }
  }

  private inBody(from: number, byte: number, sink: FrameSink): void {
    if (byte === DOLLAR) {
      this.length = 0;
      this.sum = 0;
      this.begun++;
      return;
    }
    this.sum += byte;
    if (this.length === this.limit) {
      this.state = SKIP;
      sink.oversized();
      return;
    }
    if (this.length === this.body.length) this.grow();
    this.body[this.length++] = from === ESCAPE ? byte ^ ESCAPE_XOR : byte;
  }

  private complete(byte: number, sink: FrameSink): void {
    const low = hexDigit(byte);
    const intact = this.sumHigh >= 0 && low >= 0 && this.sumHigh * 16 + low === (this.sum & 0xff);
    sink.packet(this.body.subarray(0, this.length), intact);
  }

  private outside(byte: number, sink: FrameSink): void {
    if (byte === PLUS) sink.ack();
    else if (byte === MINUS) sink.nak();
    else if (byte === BREAK) sink.break();
  }

  private grow(): void {
    const larger = new Uint8Array(Math.min(this.limit, 2 * this.body.length));
    larger.set(this.body);
    this.body = larger;
  }
}
