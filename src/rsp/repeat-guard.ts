/**
 * A client that waits for an acknowledgement sends its packet again when we take too long to look. It is to be answered once, or it would take the second
 * answer for that of its next packet.
 */
export class RepeatGuard {
  /** The packet that has just been read, if nothing has come behind it yet. */
  private justRead: Uint8Array | undefined;

  /** Something else has come: what follows is no repetition. */
  forget(): void {
    this.justRead = undefined;
  }

  /** Is it the packet before once more? */
  repeats(body: Uint8Array): boolean {
    const repeated = this.justRead !== undefined && Buffer.compare(this.justRead, body) === 0;
    this.justRead = Uint8Array.from(body);
    return repeated;
  }
}
