/**
 * The vDSO: a shared object in every process, as Linux has it (arch/x86/entry/vdso), with its data pages in front. Ours exports nothing, so that time is
 * asked for by system calls, which are counted and seen; it is there because what looks for it (the dynamic linker's own bookkeeping, debuggers)
 * then does as it does on Linux.
 */
import type { AddressSpace } from '../memory/address-space.js';
import { LOWEST } from '../memory/placement.js';
import { PROT } from '../memory/vma.js';

const PAGE = 4096;
/** [vvar], [vvar_vclock] and [vdso] of Linux 6.13 and later, in pages. */
const AREAS = [
  { name: '[vvar]', pages: 4, prot: PROT.READ },
  { name: '[vvar_vclock]', pages: 2, prot: PROT.READ },
  { name: '[vdso]', pages: 2, prot: PROT.READ | PROT.EXEC },
] as const;

const EHDR = 64;
const PHDR = 56;
const SHDR = 64;
const SYMBOL = 24;
const DYNAMIC_ENTRY = 16;
const DYNAMIC_BYTES = 10 * DYNAMIC_ENTRY;
const EM_X86_64 = 62;
const ET_DYN = 3;
const PT = { LOAD: 1, DYNAMIC: 2, NOTE: 4 } as const;
const PF = { X: 1, R: 4 } as const;
const DT = {
  NULL: 0, HASH: 4, STRTAB: 5, SYMTAB: 6, STRSZ: 10, SYMENT: 11, SONAME: 14, VERSYM: 0x6fff_fff0, VERDEF: 0x6fff_fffc, VERDEFNUM: 0x6fff_fffd,
} as const; // biome-ignore format: a table
const SHT = {
  PROGBITS: 1,
  STRTAB: 3,
  HASH: 5,
  DYNAMIC: 6,
  NOTE: 7,
  DYNSYM: 11,
  VERDEF: 0x6fff_fffd,
  VERSYM: 0x6fff_ffff,
} as const;
const SHF = { ALLOC: 2, EXEC: 4 } as const;

const SONAME = 'linux-vdso.so.1';
/** The version of what Linux's exports. Go's runtime looks for it, and for symbols of it, in every vDSO that it is shown. */
const VERSION = 'LINUX_2.6';
const DYNSTR = `\0${SONAME}\0${VERSION}\0`;
/** NT_GNU_BUILD_ID: a debugger looks for the debug file of this name, as it does for Linux's vDSO. The 20 bytes need only be ours. */
const BUILD_ID = { owner: 'GNU\0', type: 3, id: 'sidestep vdso 000001' };
const NOTE_HEADER = 12;
const NOTE_BYTES = NOTE_HEADER + BUILD_ID.owner.length + BUILD_ID.id.length;
const SEGMENTS = 3;
/** A version definition with its one name. */
const VERDEF_BYTES = 28;
/** Nobody gets here: `ud2` in a loop of one. */
const TEXT = [0x0f, 0x0b];

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly at: number;
  readonly size: number;
  /** Index of the section that this one refers to. */
  readonly link?: number;
  /** Of .dynsym the index of its first global symbol, of .gnu.version_d the number of its entries. */
  readonly info?: number;
  readonly entry?: number;
}

/** In the order of their places; indices count from 1. */
function layout(): { sections: readonly Section[]; end: number } {
  const { ALLOC, EXEC } = SHF;
  const rows: readonly Omit<Section, 'at'>[] = [
    { name: '.hash', type: SHT.HASH, flags: ALLOC, size: 16, link: 2, entry: 4 },
    { name: '.dynsym', type: SHT.DYNSYM, flags: ALLOC, size: SYMBOL, link: 3, info: 1, entry: SYMBOL },
    { name: '.dynstr', type: SHT.STRTAB, flags: ALLOC, size: DYNSTR.length },
    { name: '.dynamic', type: SHT.DYNAMIC, flags: ALLOC, size: DYNAMIC_BYTES, link: 3, entry: DYNAMIC_ENTRY },
    { name: '.text', type: SHT.PROGBITS, flags: ALLOC | EXEC, size: TEXT.length },
    { name: '.gnu.version', type: SHT.VERSYM, flags: ALLOC, size: 2, link: 2, entry: 2 },
    { name: '.gnu.version_d', type: SHT.VERDEF, flags: ALLOC, size: 2 * VERDEF_BYTES, link: 3, info: 2 },
    { name: '.note', type: SHT.NOTE, flags: ALLOC, size: NOTE_BYTES },
    { name: '.shstrtab', type: SHT.STRTAB, flags: 0, size: 0 },
  ];
  const namesSize = rows.reduce((size, { name }) => size + name.length + 1, 1);
  let at = EHDR + SEGMENTS * PHDR;
  const sections = rows.map((row): Section => {
    const placed = { ...row, size: row.name === '.shstrtab' ? namesSize : row.size, at };
    at = Math.ceil((at + placed.size) / 16) * 16;
    return placed;
  });
  return { sections, end: at };
}

/** Of the sections, in their order. */
type Places = [number, number, number, number, number, number, number, number, number];

/** The whole object: it fits into a page. */
export function vdsoImage(): Uint8Array {
  const { sections, end } = layout();
  const bytes = new Uint8Array(PAGE);
  const view = new DataView(bytes.buffer);
  const [hash, dynsym, dynstr, dynamic, text, versions, definitions, note, names] = sections.map(
    ({ at }) => at,
  ) as Places;
  const size = end + SHDR * (sections.length + 1);
  writeHeader(bytes, view, { sectionsAt: end, sections: sections.length + 1, entry: text });
  writeSegments(view, { size, dynamic, note });
  // One bucket without a symbol, one symbol: the null one.
  [1, 1, 0, 0].forEach((word, i) => {
    view.setUint32(hash + 4 * i, word, true);
  });
  bytes.set(new TextEncoder().encode(DYNSTR), dynstr);
  bytes.set(TEXT, text);
  const entries = [
    [DT.SONAME, 1], [DT.HASH, hash], [DT.STRTAB, dynstr], [DT.SYMTAB, dynsym], [DT.STRSZ, DYNSTR.length], [DT.SYMENT, SYMBOL], [DT.VERSYM, versions],
    [DT.VERDEF, definitions], [DT.VERDEFNUM, 2], [DT.NULL, 0],
  ] as const; // biome-ignore format: a table
  entries.forEach(([tag, value], i) => {
    view.setBigUint64(dynamic + DYNAMIC_ENTRY * i, BigInt(tag), true);
    view.setBigUint64(dynamic + DYNAMIC_ENTRY * i + 8, BigInt(value), true);
  });
  writeVersion(view, definitions, { index: 1, isBase: true, name: SONAME, isLast: false });
  writeVersion(view, definitions + VERDEF_BYTES, { index: 2, isBase: false, name: VERSION, isLast: true });
  writeNote(bytes, view, note);
  writeSections(bytes, view, sections, names, end);
  return bytes;
}

/** Elf64_Verdef and its Elf64_Verdaux. */
function writeVersion(
  view: DataView,
  at: number,
  { index, isBase, name, isLast }: { index: number; isBase: boolean; name: string; isLast: boolean },
): void {
  [1, isBase ? 1 : 0, index, 1].forEach((half, i) => {
    view.setUint16(at + 2 * i, half, true);
  });
  [elfHash(name), 20, isLast ? 0 : VERDEF_BYTES, DYNSTR.indexOf(name), 0].forEach((word, i) => {
    view.setUint32(at + 8 + 4 * i, word, true);
  });
}

/** The hash of System V ABI's symbol tables. */
function elfHash(name: string): number {
  let hash = 0;
  for (const character of name) {
    hash = (hash << 4) + character.charCodeAt(0);
    hash = (hash ^ ((hash >>> 24) & 0xf0)) & 0xfff_ffff;
  }
  return hash;
}

function writeHeader(
  bytes: Uint8Array,
  view: DataView,
  { sectionsAt, sections, entry }: { sectionsAt: number; sections: number; entry: number },
): void {
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, ET_DYN, true);
  view.setUint16(18, EM_X86_64, true);
  view.setUint32(20, 1, true);
  view.setUint32(24, entry, true);
  view.setUint32(32, EHDR, true);
  view.setUint32(40, sectionsAt, true);
  [EHDR, PHDR, SEGMENTS, SHDR, sections, sections - 1].forEach((half, i) => {
    view.setUint16(52 + 2 * i, half, true);
  });
}

/** An Elf64_Nhdr with its owner and its description. */
function writeNote(bytes: Uint8Array, view: DataView, at: number): void {
  const { owner, type, id } = BUILD_ID;
  [owner.length, id.length, type].forEach((word, i) => {
    view.setUint32(at + 4 * i, word, true);
  });
  bytes.set(new TextEncoder().encode(owner + id), at + NOTE_HEADER);
}

function writeSegments(view: DataView, { size, dynamic, note }: { size: number; dynamic: number; note: number }): void {
  const rows = [
    { type: PT.LOAD, flags: PF.R | PF.X, at: 0, size, align: PAGE },
    { type: PT.DYNAMIC, flags: PF.R, at: dynamic, size: DYNAMIC_BYTES, align: 8 },
    { type: PT.NOTE, flags: PF.R, at: note, size: NOTE_BYTES, align: 4 },
  ];
  rows.forEach((row, i) => {
    const base = EHDR + PHDR * i;
    view.setUint32(base, row.type, true);
    view.setUint32(base + 4, row.flags, true);
    [row.at, row.at, row.at, row.size, row.size, row.align].forEach((value, k) => {
      view.setUint32(base + 8 + 8 * k, value, true);
    });
  });
}

function writeSections(
  bytes: Uint8Array,
  view: DataView,
  sections: readonly Section[],
  namesAt: number,
  tableAt: number,
): void {
  let name = 1;
  sections.forEach((section, i) => {
    const base = tableAt + SHDR * (i + 1);
    view.setUint32(base, name, true);
    view.setUint32(base + 4, section.type, true);
    const address = section.flags & SHF.ALLOC ? section.at : 0;
    [section.flags, address, section.at, section.size].forEach((value, k) => {
      view.setUint32(base + 8 + 8 * k, value, true);
    });
    view.setUint32(base + 40, section.link ?? 0, true);
    view.setUint32(base + 44, section.info ?? 0, true);
    view.setUint32(base + 48, 1, true);
    view.setUint32(base + 56, section.entry ?? 0, true);
    bytes.set(new TextEncoder().encode(section.name), namesAt + name);
    name += section.name.length + 1;
  });
}

/** Maps it below the dynamic linker, or at the top of the mappings: the address of its header, undefined when there is no place or no memory. */
export function mapVdso(space: AddressSpace): number | undefined {
  const { placement, mappings } = space;
  const pages = AREAS.reduce((sum, area) => sum + area.pages, 0);
  let at = placement.highest(pages * PAGE, LOWEST, placement.mmapBase);
  if (at === undefined) return undefined;
  for (const { name, pages: count, prot } of AREAS) {
    mappings.map({ at, length: count * PAGE, prot, name });
    at += count * PAGE;
  }
  const header = at - 2 * PAGE;
  return space.poke(header, vdsoImage()) ? header : undefined;
}
