/** Headers of 64-bit little-endian ELF files (System V gABI, "Object Files"; elf(5)). */
import { Parser } from 'binary-parser';

export const ELF_HEADER_BYTES = 64;
export const PROGRAM_HEADER_BYTES = 56;
/** As Linux: the program headers fit in this. */
const PROGRAM_HEADERS_MAX = 65_536;

export const ET = { EXEC: 2, DYN: 3 } as const;
export const PT = { LOAD: 1, INTERP: 3, GNU_STACK: 0x6474_e551 } as const;
export const PF = { EXEC: 1, WRITE: 2, READ: 4 } as const;

const MAGIC = [0x7f, 0x45, 0x4c, 0x46];
const CLASS_64 = 2;
/** e_machine of what people try to run by mistake. */
const MACHINES: ReadonlyMap<number, string> = new Map([
  [3, '32-bit x86'],
  [8, 'MIPS'],
  [20, 'PowerPC'],
  [21, '64-bit PowerPC'],
  [22, 'S/390'],
  [40, '32-bit ARM'],
  [62, 'x86-64'],
  [183, '64-bit ARM'],
  [243, 'RISC-V'],
  [258, 'LoongArch'],
]);

export interface ElfHeader {
  readonly type: number;
  readonly machine: number;
  readonly entry: number;
  /** Where the program headers lie in the file. */
  readonly headersAt: number;
  readonly headerBytes: number;
  readonly headerCount: number;
}

export interface ProgramHeader {
  readonly type: number;
  /** PF bits. */
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly align: number;
}

/** Exact below 2^53; a larger one is no address and no size that anything could have. */
const number64 = { formatter: (value: bigint): number => Number(value) };

const headerParser = new Parser()
  .endianness('little')
  .seek(16)
  .uint16('type')
  .uint16('machine')
  .seek(4)
  .uint64('entry', number64)
  .uint64('headersAt', number64)
  .seek(14)
  .uint16('headerBytes')
  .uint16('headerCount');

const programHeaderParser = new Parser()
  .endianness('little')
  .uint32('type')
  .uint32('flags')
  .uint64('offset', number64)
  .uint64('address', number64)
  .seek(8)
  .uint64('fileBytes', number64)
  .uint64('memoryBytes', number64)
  .uint64('align', number64);

export function isElf(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

/** The header of a program for this machine (e_machine), or one line for a person that says what else it is. */
export function readElfHeader(bytes: Uint8Array, machine: number): ElfHeader | string {
  if (bytes.length < ELF_HEADER_BYTES) return 'the ELF header is truncated';
  const header = headerParser.parse(bytes) as ElfHeader;
  if (header.machine !== machine)
    return `it is a program for ${MACHINES.get(header.machine) ?? `machine ${header.machine}`}`;
  if (bytes[4] !== CLASS_64) return 'it is a 32-bit ELF file';
  if (header.type !== ET.EXEC && header.type !== ET.DYN)
    return 'it is an ELF file, but neither a program nor a shared object';
  if (header.headerBytes !== PROGRAM_HEADER_BYTES)
    return `its program headers have ${header.headerBytes} bytes each instead of 56`;
  const size = header.headerCount * PROGRAM_HEADER_BYTES;
  if (size === 0 || size > PROGRAM_HEADERS_MAX) return `it has ${header.headerCount} program headers`;
  return header;
}

/** `bytes`: those of all program headers. */
export function readProgramHeaders(bytes: Uint8Array): ProgramHeader[] {
  const headers: ProgramHeader[] = [];
  for (let at = 0; at + PROGRAM_HEADER_BYTES <= bytes.length; at += PROGRAM_HEADER_BYTES) {
    headers.push(programHeaderParser.parse(bytes.subarray(at, at + PROGRAM_HEADER_BYTES)) as ProgramHeader);
  }
  return headers;
}
