/**
 * Path names as strings. Linux names are bytes; here they are text, and a byte that is no part of valid UTF-8 is the lone surrogate U+DC00 + byte
 * (as in Python's surrogateescape), so that every name survives the way from the guest to the host and back.
 */

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const ESCAPE = 0xdc00;
const LONE_SURROGATE = /[\ud800-\udfff]/u;

export function pathText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeByCharacter(bytes);
  }
}

/** Does the text stand for valid UTF-8, so that it is the name itself? */
export function isPlainText(text: string): boolean {
  return !LONE_SURROGATE.test(text);
}

export function pathBytes(text: string): Uint8Array {
  return isPlainText(text) ? encoder.encode(text) : encodeByCharacter(text);
}

function decodeByCharacter(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const length = characterLength(bytes[i] as number);
    const character = valid(bytes.subarray(i, i + length), length);
    text += character ?? String.fromCharCode(ESCAPE + (bytes[i] as number));
    i += character === undefined ? 1 : length;
  }
  return text;
}

function characterLength(lead: number): number {
  return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

function valid(bytes: Uint8Array, length: number): string | undefined {
  if (bytes.length < length) return undefined;
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

function encodeByCharacter(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff) bytes.push(code - ESCAPE);
    else bytes.push(...encoder.encode(character));
  }
  return Uint8Array.from(bytes);
}
