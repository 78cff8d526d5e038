/**
 * The `printf` bytecode's format: what gdb's `dprintf` and `printf` commands accept, less floating point and wide
 * characters. gdb sends the format as the user typed it, so the backslash escapes are resolved here. Text is bytes, as latin-1.
 */

/** One conversion, as in C: `%` flags width .precision length conversion. */
interface Conversion {
  /** Of `-+ #0`. */
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  /** Bits of the argument that count: `int` takes 32, `%hd` 16, `%hhd` 8. */
  readonly bits: 8 | 16 | 32 | 64;
  readonly conversion: 'd' | 'i' | 'u' | 'o' | 'x' | 'X' | 'c' | 's' | 'p';
}

export interface PrintfFormat {
  readonly pieces: readonly (string | Conversion)[];
}

/** Bytes of the string that `%s` prints at most, so that a missing NUL does not print the whole memory. */
const MAX_STRING = 4096;
/** Widths beyond this are no formatting. */
const MAX_WIDTH = 4096;

const CONVERSION = /^%([-+ #0]*)(\d*)(?:\.(\d*))?(hh|h|ll|l|z|j|t)?([a-zA-Z])/;
const ESCAPES: Record<string, string> = {
  a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r', e: '\x1b', '"': '"', "'": "'", '\\': '\\',
}; // biome-ignore format: a table
const LENGTH_BITS: Record<string, Conversion['bits']> = { hh: 8, h: 16, l: 64, ll: 64, z: 64, j: 64, t: 64 };

/** `bytes` ends in the NUL that counts in its length; `argumentCount` is what the bytecode says it pops. */
export function parsePrintfFormat(bytes: Uint8Array, argumentCount: number): PrintfFormat | { invalid: string } {
  if (bytes.at(-1) !== 0) return { invalid: 'unterminated format' };
  const text = Buffer.from(bytes.subarray(0, -1)).toString('latin1');
  const pieces: (string | Conversion)[] = [];
  let literal = '';
  for (let i = 0; i < text.length; ) {
    const rest = text.slice(i);
    if (rest.startsWith('%%')) {
      literal += '%';
      i += 2;
    } else if (rest.startsWith('%')) {
      const found = parseConversion(rest);
      if ('invalid' in found) return found;
      if (literal !== '') pieces.push(literal);
      literal = '';
      pieces.push(found.conversion);
      i += found.size;
    } else if (rest.startsWith('\\')) {
      const escaped = ESCAPES[rest[1] ?? ''];
      if (escaped === undefined) return { invalid: 'unrecognized escape in format' };
      literal += escaped;
      i += 2;
    } else {
      literal += rest[0];
      i++;
    }
  }
  if (literal !== '') pieces.push(literal);
  const conversions = pieces.filter((piece) => typeof piece !== 'string').length;
  if (conversions !== argumentCount) return { invalid: `${conversions} conversions for ${argumentCount} arguments` };
  return { pieces };
}

function parseConversion(text: string): { conversion: Conversion; size: number } | { invalid: string } {
  const match = CONVERSION.exec(text);
  if (match === null) return { invalid: 'bad conversion in format' };
  const [all, flags = '', width, precision, length, letter = ''] = match;
  if (!'diuoxXcsp'.includes(letter)) return { invalid: `unsupported conversion %${letter}` };
  if ((letter === 'c' || letter === 's') && length !== undefined) return { invalid: 'wide characters are unsupported' };
  if (Number(width) > MAX_WIDTH || Number(precision ?? 0) > MAX_WIDTH) return { invalid: 'width too large in format' };
  const bits = letter === 's' || letter === 'p' ? 64 : length === undefined ? 32 : (LENGTH_BITS[length] ?? 64);
  const conversion: Conversion = {
    flags,
    width: Number(width),
    precision: precision === undefined ? undefined : Number(precision),
    bits,
    conversion: letter as Conversion['conversion'],
  };
  return { conversion, size: all.length };
}

/**
 * What to print, or the reason why not. Hot: dprintf. `args` in the order of the conversions, unsigned 64-bit.
 * `readString` gives the bytes before the NUL at an address, at most `limit`; undefined when unreadable.
 */
export function formatPrintf(
  format: PrintfFormat,
  args: readonly bigint[],
  readString: (address: bigint, limit: number) => Uint8Array | undefined,
): string | { error: string } {
  let out = '';
  let next = 0;
  for (const piece of format.pieces) {
    if (typeof piece === 'string') {
      out += piece;
      continue;
    }
    const value = args[next++] ?? 0n;
    const text = piece.conversion === 's' ? formatString(piece, value, readString) : formatNumber(piece, value);
    if (text === undefined) return { error: `string at 0x${value.toString(16)} is unreadable` };
    out += text;
  }
  return out;
}

function formatString(
  conversion: Conversion,
  address: bigint,
  readString: (address: bigint, limit: number) => Uint8Array | undefined,
): string | undefined {
  const string = address === 0n ? Buffer.from('(null)') : readString(address, conversion.precision ?? MAX_STRING);
  return string === undefined ? undefined : pad(conversion, Buffer.from(string).toString('latin1'));
}

function formatNumber(conversion: Conversion, value: bigint): string {
  const unsigned = BigInt.asUintN(conversion.bits, value);
  const signed = BigInt.asIntN(conversion.bits, value);
  switch (conversion.conversion) {
    case 'c':
      return pad(conversion, String.fromCharCode(Number(unsigned & 0xffn)));
    case 'p':
      return pad(conversion, unsigned === 0n ? '(nil)' : `0x${unsigned.toString(16)}`);
    case 'd':
    case 'i':
      return integer(conversion, signSymbol(conversion, signed), (signed < 0n ? -signed : signed).toString());
    case 'o':
      return integer(conversion, '', octal(conversion, unsigned));
    case 'x':
      return integer(conversion, alternate(conversion, unsigned, '0x'), unsigned.toString(16));
    case 'X':
      return integer(conversion, alternate(conversion, unsigned, '0X'), unsigned.toString(16).toUpperCase());
    default:
      return integer(conversion, '', unsigned.toString());
  }
}

function signSymbol({ flags }: Conversion, value: bigint): string {
  if (value < 0n) return '-';
  if (flags.includes('+')) return '+';
  return flags.includes(' ') ? ' ' : '';
}

function alternate({ flags }: Conversion, value: bigint, prefix: string): string {
  return flags.includes('#') && value !== 0n ? prefix : '';
}

function octal({ flags }: Conversion, value: bigint): string {
  const digits = value.toString(8);
  return flags.includes('#') && !digits.startsWith('0') ? `0${digits}` : digits;
}

/** Precision asks for leading zeros; the `0` flag fills the width with them where there is no precision and no `-`. */
function integer(conversion: Conversion, prefix: string, digits: string): string {
  const { flags, width, precision } = conversion;
  const zeros = flags.includes('0') && !flags.includes('-') && precision === undefined;
  const shown = precision === 0 && digits === '0' ? '' : digits;
  return pad(conversion, prefix + shown.padStart(zeros ? width - prefix.length : (precision ?? 0), '0'));
}

function pad({ flags, width }: Conversion, text: string): string {
  return flags.includes('-') ? text.padEnd(width) : text.padStart(width);
}
