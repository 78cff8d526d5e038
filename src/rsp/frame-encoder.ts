/**
 * Bodies -> frames, `$body#xx` and `%body#xx`, each in one buffer so that it leaves in one write. Run-length encoding is
 * optional: it shortens `g` tenfold, and clients with a faulty decoder exist (gdb manual, "Overview", on `*`).
 */

const DOLLAR = 0x24;
const PERCENT = 0x25;
const HASH = 0x23;
const STAR = 0x2a;
const HEX = '0123456789abcdef';

/** A repeat count n travels as the character n + 29: printable, and none of `#` `$` `+` `-`. */
const COUNT_BASE = 29;
const MIN_REPEATS = 3;
const MAX_REPEATS = 97;
/** Counts whose character is `#`, `$`, `+` or `-`. */
const BAD_COUNTS: readonly number[] = [6, 7, 14, 16];

/** The frame of a reply whose body is already escaped. */
export function encodeFrame(body: Uint8Array, runLength: boolean): Uint8Array {
  return frame(DOLLAR, runLength ? compress(body) : body);
}

/** The frame of a notification: short, and never compressed. */
export function encodeNotification(body: Uint8Array): Uint8Array {
  return frame(PERCENT, body);
}

function frame(first: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(body.length + 4);
  out[0] = first;
  out.set(body, 1);
  let sum = 0;
  for (const byte of body) sum += byte;
  out[body.length + 1] = HASH;
  out[body.length + 2] = HEX.charCodeAt((sum >> 4) & 15);
  out[body.length + 3] = HEX.charCodeAt(sum & 15);
  return out;
}

/** Runs of four or more equal bytes become the byte, `*` and a count. An escaped byte's second half may repeat like any other. */
export function compress(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(body.length);
  let length = 0;
  for (let i = 0; i < body.length; ) {
    const byte = body[i] ?? 0;
    out[length++] = byte;
    i++;
    // Most bytes begin no run: told here, before anything is called.
    if (body[i] !== byte || body[i + 1] !== byte || body[i + 2] !== byte) continue;
    const repeats = usableCount(countRepeats(body, i, byte));
    if (repeats < MIN_REPEATS) continue;
    out[length++] = STAR;
    out[length++] = repeats + COUNT_BASE;
    i += repeats;
  }
  return out.subarray(0, length);
}

function countRepeats(body: Uint8Array, from: number, byte: number): number {
  let end = from;
  while (end < body.length && end - from < MAX_REPEATS && body[end] === byte) end++;
  return end - from;
}

function usableCount(repeats: number): number {
  let usable = repeats;
  while (BAD_COUNTS.includes(usable)) usable--;
  return usable;
}
