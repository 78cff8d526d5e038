/** A file that is to be executed: what kind it is, and what its headers say (fs/exec.c, fs/binfmt_elf.c). */
import { EIO, ELIBBAD, ENOEXEC } from '../kernel/errno.js';
import type { PageCache } from '../memory/page-cache.js';
import type { ExecutableFile, LoadFailure } from '../program-loader.js';
import {
  ELF_HEADER_BYTES,
  ET,
  isElf,
  PF,
  PROGRAM_HEADER_BYTES,
  type ProgramHeader,
  PT,
  readElfHeader,
  readProgramHeaders,
} from './elf.js';
import { HEAD_BYTES } from './script.js';

const PAGE = 4096;
const PATH_MAX = 4096;

/** An ELF program whose headers are sound. */
export interface ElfProgram {
  readonly file: ExecutableFile;
  /** It has addresses of its own: not position independent. */
  readonly isFixed: boolean;
  readonly entry: number;
  /** The PT_LOAD headers, at least one. */
  readonly segments: readonly ProgramHeader[];
  /** Address of the program headers in memory, before it is moved; 0: in no segment. */
  readonly headersAddress: number;
  readonly headerCount: number;
  readonly executableStack: boolean;
  /** Path of the dynamic linker (PT_INTERP). */
  readonly interpreter: Uint8Array | undefined;
}

/** The first bytes of the file, zeros behind its end; or -errno. */
export function readHead(cache: PageCache, { file }: ExecutableFile): Uint8Array | number {
  const head = new Uint8Array(HEAD_BYTES);
  const got = cache.read(file, head, 0);
  return got < 0 ? got : head;
}

/** `role`: the program itself, or the dynamic linker of one, whose faults have another errno. */
export function readProgram(
  cache: PageCache,
  file: ExecutableFile,
  machine: number,
  role: 'program' | 'linker',
): ElfProgram | LoadFailure {
  const errno = role === 'program' ? ENOEXEC : ELIBBAD;
  const fail = (why: string): LoadFailure => ({ errno, message: `${file.path} cannot be run: ${why}` });
  const head = read(cache, file, 0, ELF_HEADER_BYTES);
  if (head === undefined || !isElf(head)) {
    const size = file.file.size();
    if (head === undefined && size >= ELF_HEADER_BYTES) return { errno: EIO };
    if (isElf(head ?? firstBytes(cache, file))) return fail('the ELF header is truncated');
    return fail(size === 0 ? 'it is empty' : 'it is neither an ELF program nor a script that begins with #!');
  }
  const header = readElfHeader(head, machine);
  if (typeof header === 'string') return fail(header);
  const bytes = read(cache, file, header.headersAt, header.headerCount * PROGRAM_HEADER_BYTES);
  if (bytes === undefined) return fail('it is truncated: its program headers lie beyond its end');
  const headers = readProgramHeaders(bytes);
  const segments = headers.filter(({ type }) => type === PT.LOAD);
  const wrong = segments.length === 0 ? 'it has nothing to load' : faultOf(segments, file.file.size());
  if (wrong !== undefined) return fail(wrong);
  const interpreter = readInterpreter(cache, file, headers);
  if (interpreter === 'bad') return fail('the name of its dynamic linker is damaged');
  return {
    file,
    isFixed: header.type === ET.EXEC,
    entry: header.entry,
    segments,
    headersAddress: addressOf(segments, header.headersAt),
    headerCount: header.headerCount,
    executableStack: headers.some(({ type, flags }) => type === PT.GNU_STACK && (flags & PF.EXEC) !== 0),
    interpreter,
  };
}

/** All bytes of a range, or undefined when the file ends before. */
function read(cache: PageCache, { file }: ExecutableFile, at: number, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  return cache.read(file, bytes, at) === length ? bytes : undefined;
}

function firstBytes(cache: PageCache, file: ExecutableFile): Uint8Array {
  const head = readHead(cache, file);
  return typeof head === 'number' ? new Uint8Array() : head;
}

function faultOf(segments: readonly ProgramHeader[], size: number): string | undefined {
  for (const { offset, address, fileBytes, memoryBytes } of segments) {
    if (fileBytes > memoryBytes) return `the segment at 0x${address.toString(16)} is longer in the file than in memory`;
    if (address % PAGE !== offset % PAGE)
      return `the segment at 0x${address.toString(16)} is not aligned as it is in the file`;
    if (offset + fileBytes > size) {
      return `it is truncated: the segment at 0x${address.toString(16)} ends at byte ${offset + fileBytes}, the file has ${size}`;
    }
  }
  return undefined;
}

function readInterpreter(
  cache: PageCache,
  file: ExecutableFile,
  headers: readonly ProgramHeader[],
): Uint8Array | undefined | 'bad' {
  const header = headers.find(({ type }) => type === PT.INTERP);
  if (header === undefined) return undefined;
  if (header.fileBytes < 2 || header.fileBytes > PATH_MAX) return 'bad';
  const bytes = read(cache, file, header.offset, header.fileBytes);
  if (bytes === undefined || bytes[bytes.length - 1] !== 0) return 'bad';
  return bytes.subarray(0, bytes.indexOf(0));
}

/** Where a byte of the file is in memory. */
function addressOf(segments: readonly ProgramHeader[], at: number): number {
  const holder = segments.find(({ offset, fileBytes }) => offset <= at && at < offset + fileBytes);
  return holder === undefined ? 0 : holder.address + (at - holder.offset);
}
