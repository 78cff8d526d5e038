/** What one session wants done, in order: frames to send, and other actions. */
import { encodeFrame, encodeNotification } from './frame-encoder.js';
import type { Action } from './session-types.js';

const ACK = Uint8Array.of(0x2b);
const NAK = Uint8Array.of(0x2d);

/** Console output is cut into packets of this many bytes. */
const OUTPUT_CHUNK = 0x4000;

export class Outbox {
  private actions: Action[] = [];
  /** The frame that a NAK asks for again. */
  private lastFrame: Uint8Array | undefined;

  constructor(
    private readonly runLength: boolean,
    private readonly trace: ((direction: 'out', bytes: Uint8Array) => void) | undefined,
  ) {}

  add(...actions: readonly Action[]): void {
    this.actions.push(...actions);
  }

  ack(): void {
    this.send(ACK);
  }

  nak(): void {
    this.send(NAK);
  }

  /** A reply whose body is already escaped. */
  reply(body: Uint8Array): void {
    this.lastFrame = encodeFrame(body, this.runLength);
    this.send(this.lastFrame);
  }

  repeat(): void {
    if (this.lastFrame !== undefined) this.send(this.lastFrame);
  }

  notify(text: string): void {
    this.send(encodeNotification(Buffer.from(text, 'latin1')));
  }

  /** `O` packets. */
  console(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += OUTPUT_CHUNK) {
      this.reply(Buffer.from(`O${Buffer.from(bytes.subarray(at, at + OUTPUT_CHUNK)).toString('hex')}`));
    }
  }

  /** Everything since the last time. Neighbouring sends become one, so that an acknowledgement and its reply leave in one write. */
  take(): readonly Action[] {
    const taken: Action[] = [];
    for (const action of this.actions) {
      const last = taken.at(-1);
      if (action.kind === 'send' && last?.kind === 'send') {
        taken[taken.length - 1] = { kind: 'send', bytes: Buffer.concat([last.bytes, action.bytes]) };
      } else {
        taken.push(action);
      }
    }
    this.actions = [];
    for (const action of taken) if (action.kind === 'send') this.trace?.('out', action.bytes);
    return taken;
  }

  private send(bytes: Uint8Array): void {
    this.actions.push({ kind: 'send', bytes });
  }
}
