/**
 * Text for the client's console: `O` packets, and much of it by File-I/O requests where the client serves them (gdb manual, "File-I/O Remote Protocol
 * Extension"). Of an `O` packet gdb writes each
 * character with a system call of its own, fifteen microseconds for a short line; asked to `write`, it reads a piece of memory and writes that at once, which
 * takes two round trips and pays for more than a few lines. The memory is none of the program's: while the request is open the piece stands at an address
 * that no program can have.
 */
import type { Client } from './client.js';
import { EINTR } from './error-code.js';
import type { GuestState } from './guest-state.js';
import type { Outbox } from './outbox.js';

/** The first address that is not canonical. */
const ADDRESS = 0x8000_0000_0000n;
/** Bytes in a request: as many as gdb reads with one `m`. */
const PIECE = 0xff00;
const CONSOLE = 1;
/** Bytes that an `O` packet is good enough for. */
const FEW = 512;

export class ClientText implements Pick<GuestState, 'readRegister' | 'readMemory'> {
  private waiting: Uint8Array[] = [];
  /** Of the open request. */
  private asked: Uint8Array | undefined;
  private bytes = 0;
  /** It has refused to write: `O` packets have to do. */
  private refused = false;

  constructor(
    private readonly client: Pick<Client, 'servesFileIo'>,
    private readonly outbox: Outbox,
  ) {}

  /** A request is open: the client reads memory, and answers it. */
  get isAsking(): boolean {
    return this.asked !== undefined;
  }

  /** Bytes that the client has not written yet. */
  get pending(): number {
    return this.bytes;
  }

  add(text: Uint8Array): void {
    const asks = this.client.servesFileIo && !this.refused;
    if (!asks || (!this.isAsking && text.length <= FEW)) return this.outbox.console(text);
    this.waiting.push(text);
    this.bytes += text.length;
    if (!this.isAsking) this.ask();
  }

  /** The client's answer: 0, or the errno with which it failed. What it did not write because its user interrupted it, it is asked to write again. */
  answered(errno: number): void {
    const { asked } = this;
    if (asked === undefined) throw new Error('no request is open');
    this.asked = undefined;
    if (errno === 0) this.bytes -= asked.length;
    else this.waiting.unshift(asked);
    this.refused = errno !== 0 && errno !== EINTR;
    if (this.refused) this.giveUp();
    else this.ask();
  }

  /** What the client reads while it is asked. */
  readMemory(_pid: number, address: bigint, into: Uint8Array): number {
    const { asked } = this;
    if (asked === undefined || address < ADDRESS || address >= ADDRESS + BigInt(asked.length)) return 0;
    const from = Number(address - ADDRESS);
    const piece = asked.subarray(from, from + into.length);
    into.set(piece);
    return piece.length;
  }

  readRegister(): boolean {
    return false;
  }

  private ask(): void {
    const all = Buffer.concat(this.waiting);
    if (all.length === 0) return;
    this.asked = all.subarray(0, PIECE);
    this.waiting = all.length > PIECE ? [all.subarray(PIECE)] : [];
    this.outbox.reply(
      Buffer.from(`Fwrite,${CONSOLE},${ADDRESS.toString(16)},${this.asked.length.toString(16)}`, 'latin1'),
    );
  }

  private giveUp(): void {
    for (const text of this.waiting) this.outbox.console(text);
    this.waiting = [];
    this.bytes = 0;
  }
}
