/** Where things of a new program go (arch/x86/mm/mmap.c, fs/binfmt_elf.c), with and without randomisation. */
import { TASK_SIZE } from '../../types.js';
import type { Entropy } from '../entropy.js';
import { STACK_GUARD } from '../memory/vma.js';

const PAGE = 4096;
const MIB = 0x10_0000;
/** The gap between mmap_base and the top of the stack has at least this size, at most 5/6 of everything. */
const GAP_MIN = 128 * MIB;
const GAP_MAX = Math.floor(TASK_SIZE / 6) * 5;
/** 22 bits of pages: how far the stack may be moved down. */
const STACK_BITS = 22;
/** 28 bits of pages: how far mappings and programs may be moved. */
const MMAP_BITS = 28;
const BRK_SPAN = 0x200_0000;
/** ELF_ET_DYN_BASE: two thirds of the address space. */
const DYNAMIC_BASE = Math.floor(TASK_SIZE / 3) * 2;

export interface Layout {
  readonly stackTop: number;
  readonly mmapBase: number;
  /** Where a position-independent program with a dynamic linker begins. */
  readonly programBase: number;
  /** Bytes that the first stack pointer lies lower, below 8 KiB. */
  readonly stackShift: number;
  /** Bytes between the end of the program and its heap. */
  readonly brkShift: number;
}

/** `stackLimit`: RLIMIT_STACK in bytes. Without entropy nothing is moved: the addresses that gdb's users know. */
export function layoutFor(stackLimit: number, entropy: Entropy | undefined): Layout {
  const pages = (bits: number): number => (entropy === undefined ? 0 : (entropy.next() >>> (32 - bits)) * PAGE);
  const pad = STACK_GUARD + (entropy === undefined ? 0 : 2 ** STACK_BITS * PAGE);
  const gap = Math.min(GAP_MAX, Math.max(GAP_MIN, stackLimit + pad));
  return {
    stackTop: TASK_SIZE - pages(STACK_BITS),
    mmapBase: Math.ceil((TASK_SIZE - gap - pages(MMAP_BITS)) / PAGE) * PAGE,
    programBase: DYNAMIC_BASE + pages(MMAP_BITS),
    stackShift: entropy === undefined ? 0 : entropy.next() % 8192,
    brkShift: entropy === undefined ? 0 : Math.floor((entropy.next() % BRK_SPAN) / PAGE) * PAGE,
  };
}

/** Start of the heap of a static position-independent program, which lies among the mappings and has no room behind it. */
export const STATIC_PIE_HEAP = Math.ceil(DYNAMIC_BASE / PAGE) * PAGE;
