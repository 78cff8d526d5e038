/** Puts the segments of an ELF program into an address space (fs/binfmt_elf.c: elf_load). */
import { TASK_SIZE } from '../../types.js';
import type { AddressSpace } from '../memory/address-space.js';
import { LOWEST } from '../memory/placement.js';
import { PROT } from '../memory/vma.js';
import { PF, type ProgramHeader } from './elf.js';
import type { ElfProgram } from './program-file.js';

const PAGE = 4096;

const pageStart = (at: number): number => Math.floor(at / PAGE) * PAGE;
const pageEnd = (at: number): number => Math.ceil(at / PAGE) * PAGE;

/** First and behind the last address, in whole pages, before it is moved. */
export function extentOf({ segments }: ElfProgram): { from: number; to: number } {
  const from = Math.min(...segments.map(({ address }) => pageStart(address)));
  const to = Math.max(...segments.map(({ address, memoryBytes }) => pageEnd(address + memoryBytes)));
  return { from, to };
}

/** The largest alignment that a segment asks for. */
export function alignmentOf({ segments }: ElfProgram): number {
  const isPower = (align: number): boolean => Number.isInteger(Math.log2(align));
  return Math.max(PAGE, ...segments.map(({ align }) => align).filter(isPower));
}

/** Whether the program fits into what a process may map, moved by `bias`. */
export function fits(program: ElfProgram, bias: number): boolean {
  const { from, to } = extentOf(program);
  return from + bias >= LOWEST && to + bias <= TASK_SIZE && to > from;
}

/** Maps everything, moved by `bias`; false when memory runs out. */
export function mapSegments(space: AddressSpace, program: ElfProgram, bias: number): boolean {
  return program.segments.every((segment) => mapSegment(space, program, segment, bias));
}

function mapSegment(space: AddressSpace, program: ElfProgram, segment: ProgramHeader, bias: number): boolean {
  const { address, offset, fileBytes, memoryBytes, flags } = segment;
  const start = bias + pageStart(address);
  const bytesEnd = bias + address + fileBytes;
  const fileEnd = fileBytes === 0 ? start : pageEnd(bytesEnd);
  const end = pageEnd(bias + address + memoryBytes);
  if (fileEnd > start) {
    const { file } = program.file;
    file.retain();
    const pages = space.cache.open(file);
    space.mappings.map({
      at: start,
      length: fileEnd - start,
      prot: protOf(flags),
      pages,
      offset: offset - (address % PAGE),
    });
  }
  if (end > fileEnd) {
    const prot = PROT.READ | PROT.WRITE | (flags & PF.EXEC ? PROT.EXEC : 0);
    space.mappings.map({ at: fileEnd, length: end - fileEnd, prot });
  }
  const tail = memoryBytes > fileBytes && flags & PF.WRITE ? fileEnd - bytesEnd : 0;
  return tail <= 0 || space.poke(bytesEnd, new Uint8Array(tail));
}

function protOf(flags: number): number {
  return (flags & PF.READ ? PROT.READ : 0) | (flags & PF.WRITE ? PROT.WRITE : 0) | (flags & PF.EXEC ? PROT.EXEC : 0);
}
