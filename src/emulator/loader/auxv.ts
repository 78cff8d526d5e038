/** The auxiliary vector of a program (fs/binfmt_elf.c: create_elf_tables). */
import { isSecure } from '../kernel/exec-credentials.js';
import type { Machine } from '../machine.js';
import type { Credentials } from '../process.js';
import { PROGRAM_HEADER_BYTES } from './elf.js';
import type { ElfProgram } from './program-file.js';

const PAGE = 4096;
const CLOCK_TICKS = 100;

const AT = {
  NULL: 0, PHDR: 3, PHENT: 4, PHNUM: 5, PAGESZ: 6, BASE: 7, FLAGS: 8, ENTRY: 9, UID: 11, EUID: 12, GID: 13, EGID: 14, PLATFORM: 15, HWCAP: 16, CLKTCK: 17, SECURE: 23,
  RANDOM: 25, HWCAP2: 26, RSEQ_FEATURE_SIZE: 27, RSEQ_ALIGN: 28, EXECFN: 31, SYSINFO_EHDR: 33, MINSIGSTKSZ: 51,
} as const; // biome-ignore format: a table

/** (type, value) pairs with the closing AT_NULL. */
export type Auxv = readonly (readonly [type: number, value: bigint])[];

/** A program in its place: moved by `bias` from the addresses in its headers. */
export interface Placed {
  readonly program: ElfProgram;
  readonly bias: number;
}

/** What a fresh address space holds. */
export interface PlacedObjects {
  readonly main: Placed;
  readonly linker: Placed | undefined;
  /** Address of the vDSO's header. */
  readonly vdso: number;
}

/** struct rseq of Linux 6.3 and later: told to programs whether or not rseq(2) answers (here: ENOSYS). */
const RSEQ_FEATURE_SIZE = 28;
const RSEQ_ALIGN = 32;

/** In the order of the kernel. */
export function auxvOf(
  machine: Machine,
  credentials: Credentials,
  { main: { program, bias }, linker, vdso }: PlacedObjects,
  addresses: { fileName: number; platform: number; random: number },
): Auxv {
  const { facts } = machine.abi;
  const pairs: [number, number][] = [
    [AT.SYSINFO_EHDR, vdso],
    [AT.MINSIGSTKSZ, facts.minimumSignalStack],
    [AT.HWCAP, facts.hwcap],
    [AT.PAGESZ, PAGE],
    [AT.CLKTCK, CLOCK_TICKS],
    [AT.PHDR, bias + program.headersAddress],
    [AT.PHENT, PROGRAM_HEADER_BYTES],
    [AT.PHNUM, program.headerCount],
    [AT.BASE, linker?.bias ?? 0],
    [AT.FLAGS, 0],
    [AT.ENTRY, bias + program.entry],
    [AT.UID, credentials.ruid],
    [AT.EUID, credentials.euid],
    [AT.GID, credentials.rgid],
    [AT.EGID, credentials.egid],
    [AT.SECURE, isSecure(credentials) ? 1 : 0],
    [AT.RANDOM, addresses.random],
    [AT.HWCAP2, facts.hwcap2],
    [AT.EXECFN, addresses.fileName],
    [AT.PLATFORM, addresses.platform],
    [AT.RSEQ_FEATURE_SIZE, RSEQ_FEATURE_SIZE],
    [AT.RSEQ_ALIGN, RSEQ_ALIGN],
    [AT.NULL, 0],
  ];
  return pairs.map(([type, value]) => [type, BigInt(value)]);
}
