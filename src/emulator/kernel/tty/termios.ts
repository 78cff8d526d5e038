/** Terminal attributes: struct termios and struct termios2 of the kernel (asm-generic/termbits.h). */

export const IFLAG = {
  ISTRIP: 0o40, INLCR: 0o100, IGNCR: 0o200, ICRNL: 0o400, IXON: 0o2000, IXANY: 0o4000, IMAXBEL: 0o20000, IUTF8: 0o40000,
} as const; // biome-ignore format: a table
export const OFLAG = { OPOST: 1, ONLCR: 4, OCRNL: 8, ONOCR: 16, ONLRET: 32, XTABS: 0o14000 } as const;
export const LFLAG = {
  ISIG: 1, ICANON: 2, ECHO: 8, ECHOE: 0o20, ECHOK: 0o40, ECHONL: 0o100, NOFLSH: 0o200, TOSTOP: 0o400, ECHOCTL: 0o1000, ECHOKE: 0o4000, IEXTEN: 0o100000,
} as const; // biome-ignore format: a table
/** Places in the array of control characters. */
export const CC = {
  INTR: 0, QUIT: 1, ERASE: 2, KILL: 3, EOF: 4, TIME: 5, MIN: 6, START: 8, STOP: 9, SUSP: 10, EOL: 11, REPRINT: 12, WERASE: 14, LNEXT: 15, EOL2: 16,
} as const; // biome-ignore format: a table

const CC_COUNT = 19;
export const TERMIOS_BYTES = 36;
export const TERMIOS2_BYTES = 44;
const BAUD = 38_400;

export interface Termios {
  readonly iflag: number;
  readonly oflag: number;
  readonly cflag: number;
  readonly lflag: number;
  readonly line: number;
  readonly cc: readonly number[];
  readonly inputSpeed: number;
  readonly outputSpeed: number;
}

/** tty_std_termios: by lines, with echo and signals; 38400 baud, 8 bits. */
export const STANDARD: Termios = {
  iflag: IFLAG.ICRNL | IFLAG.IXON,
  oflag: OFLAG.OPOST | OFLAG.ONLCR,
  cflag: 0o277,
  lflag:
    LFLAG.ISIG | LFLAG.ICANON | LFLAG.ECHO | LFLAG.ECHOE | LFLAG.ECHOK | LFLAG.ECHOCTL | LFLAG.ECHOKE | LFLAG.IEXTEN,
  line: 0,
  cc: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0],
  inputSpeed: BAUD,
  outputSpeed: BAUD,
};

/** struct termios, or struct termios2 with its speeds when there is room for it. */
export function encodeTermios(termios: Termios, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  [termios.iflag, termios.oflag, termios.cflag, termios.lflag].forEach((flags, i) => {
    view.setUint32(4 * i, flags, true);
  });
  bytes[16] = termios.line;
  bytes.set(termios.cc, 17);
  if (size < TERMIOS2_BYTES) return bytes;
  view.setUint32(36, termios.inputSpeed, true);
  view.setUint32(40, termios.outputSpeed, true);
  return bytes;
}

export function decodeTermios(bytes: Uint8Array, before: Termios): Termios {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const hasSpeeds = bytes.length >= TERMIOS2_BYTES;
  return {
    iflag: view.getUint32(0, true),
    oflag: view.getUint32(4, true),
    cflag: view.getUint32(8, true),
    lflag: view.getUint32(12, true),
    line: bytes[16] as number,
    cc: [...bytes.subarray(17, 17 + CC_COUNT)],
    inputSpeed: hasSpeeds ? view.getUint32(36, true) : before.inputSpeed,
    outputSpeed: hasSpeeds ? view.getUint32(40, true) : before.outputSpeed,
  };
}

export function isSet({ lflag }: Termios, flag: number): boolean {
  return (lflag & flag) !== 0;
}

/** A control character; -1 when it is disabled (_POSIX_VDISABLE). */
export function control({ cc }: Termios, place: number): number {
  const value = cc[place] ?? 0;
  return value === 0 ? -1 : value;
}
