/**
 * USDT probes of an ELF file, as sys/sdt.h leaves them in `.note.stapsdt` (SystemTap wiki, UserSpaceProbeImplementation): provider, name, where, the
 * semaphore, and where the arguments are.
 */
import { cString, ElfFile, notes, u64, withinBounds } from './elf-file.js';

export interface UsdtProbe {
  readonly provider: string;
  readonly name: string;
  /** Virtual address as linked, and the offset in the file where it lies. */
  readonly address: number;
  readonly offset: number;
  /** Of the semaphore, if it has one: virtual address as linked, and offset in the file. */
  readonly semaphore: { readonly address: number; readonly offset: number } | undefined;
  /** `-4@%edi 8@8(%rbp)`: sizes (negative: signed) and operands in AT&T syntax (usdt-operand.ts). */
  readonly args: string;
}

const NOTE_TYPE = 3;

/** All probes of the file, in the order of their notes. None for a file that is not ELF64, has no such section, or is cut off. */
export function usdtProbes(file: Uint8Array): UsdtProbe[] {
  const elf = ElfFile.read(file);
  return (elf && withinBounds(() => probesOf(elf))) ?? [];
}

function probesOf(elf: ElfFile): UsdtProbe[] {
  // prelink moves everything: the difference to where .stapsdt.base was when the notes were written tells how far.
  const base = elf.section('.stapsdt.base')?.address;
  const probes: UsdtProbe[] = [];
  for (const { type, description } of notes(elf.contentsOf('.note.stapsdt'), 'stapsdt')) {
    if (type !== NOTE_TYPE) continue;
    const note = readNote(description);
    const moved = base === undefined || note.base === 0 ? 0 : base - note.base;
    const address = note.address + moved;
    const offset = elf.offsetOf(address);
    if (offset === undefined) continue;
    const semaphore = note.semaphore === 0 ? undefined : located(elf, note.semaphore + moved);
    probes.push({ provider: note.provider, name: note.name, args: note.args, address, offset, semaphore });
  }
  return probes;
}

function located(elf: ElfFile, address: number): UsdtProbe['semaphore'] {
  const offset = elf.offsetOf(address);
  return offset === undefined ? undefined : { address, offset };
}

/** Three addresses, three strings. */
function readNote(note: Uint8Array): {
  address: number;
  base: number;
  semaphore: number;
  provider: string;
  name: string;
  args: string;
} {
  const view = new DataView(note.buffer, note.byteOffset, note.byteLength);
  const provider = cString(note, 24);
  const nameAt = 24 + Buffer.byteLength(provider) + 1;
  const name = cString(note, nameAt);
  const args = cString(note, nameAt + Buffer.byteLength(name) + 1);
  return { address: u64(view, 0), base: u64(view, 8), semaphore: u64(view, 16), provider, name, args };
}
