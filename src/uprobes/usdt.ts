/**
 * USDT probes of an ELF file, as sys/sdt.h leaves them in `.note.stapsdt` (SystemTap wiki, UserSpaceProbeImplementation): provider, name, where, the
 * semaphore, and where the arguments are.
 */

export interface UsdtProbe {
  readonly provider: string;
  readonly name: string;
  /** Virtual address as linked, and the offset in the file where it lies. */
  readonly address: number;
  readonly offset: number;
  /** Of the semaphore, if it has one: virtual address as linked, and offset in the file. */
  readonly semaphore: { readonly address: number; readonly offset: number } | undefined;
  /** `-4@%edi 8@8(%rbp)`: sizes (negative: signed) and operands in AT&T syntax. */
  readonly args: string;
}

const ELF_MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const PT_LOAD = 1;
const NOTE_TYPE = 3;
const NOTE_OWNER = 'stapsdt';
const SECTION_HEADER = 64;
const PROGRAM_HEADER = 56;

interface Section {
  readonly name: string;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

/** All probes of the file, in the order of their notes. None for a file that is not ELF64, has no such section, or is cut off. */
export function usdtProbes(file: Uint8Array): UsdtProbe[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < SECTION_HEADER || view.getUint32(0) !== ELF_MAGIC) return [];
  if (view.getUint8(4) !== CLASS_64 || view.getUint8(5) !== LITTLE_ENDIAN) return [];
  try {
    return probesOf(view, file);
  } catch (error) {
    if (error instanceof RangeError) return [];
    throw error;
  }
}

function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function probesOf(view: DataView, file: Uint8Array): UsdtProbe[] {
  const sections = readSections(view, file);
  const notes = sections.find(({ name }) => name === '.note.stapsdt');
  if (notes === undefined) return [];
  // prelink moves everything: the difference to where .stapsdt.base was when the notes were written tells how far.
  const base = sections.find(({ name }) => name === '.stapsdt.base')?.address;
  const segments = readSegments(view);
  const probes: UsdtProbe[] = [];
  for (const note of readNotes(view, file, notes)) {
    const moved = base === undefined || note.base === 0 ? 0 : base - note.base;
    const address = note.address + moved;
    const offset = fileOffset(segments, address);
    if (offset === undefined) continue;
    const semaphore = note.semaphore === 0 ? undefined : located(segments, note.semaphore + moved);
    probes.push({ provider: note.provider, name: note.name, args: note.args, address, offset, semaphore });
  }
  return probes;
}

function located(segments: readonly Segment[], address: number): UsdtProbe['semaphore'] {
  const offset = fileOffset(segments, address);
  return offset === undefined ? undefined : { address, offset };
}

function fileOffset(segments: readonly Segment[], address: number): number | undefined {
  const segment = segments.find((one) => address >= one.address && address < one.address + one.fileSize);
  return segment && address - segment.address + segment.offset;
}

function readSections(view: DataView, file: Uint8Array): Section[] {
  const table = u64(view, 0x28);
  const count = view.getUint16(0x3c, true);
  const namesAt = table + view.getUint16(0x3e, true) * SECTION_HEADER;
  const names = u64(view, namesAt + 0x18);
  return Array.from({ length: count }, (_, i): Section => {
    const at = table + i * SECTION_HEADER;
    return {
      name: cString(file, names + view.getUint32(at, true)),
      address: u64(view, at + 0x10),
      offset: u64(view, at + 0x18),
      size: u64(view, at + 0x20),
    };
  });
}

function readSegments(view: DataView): Segment[] {
  const table = u64(view, 0x20);
  const all = Array.from({ length: view.getUint16(0x38, true) }, (_, i) => table + i * PROGRAM_HEADER);
  return all
    .filter((at) => view.getUint32(at, true) === PT_LOAD)
    .map((at) => ({ offset: u64(view, at + 8), address: u64(view, at + 0x10), fileSize: u64(view, at + 0x20) }));
}

interface Note {
  readonly address: number;
  readonly base: number;
  readonly semaphore: number;
  readonly provider: string;
  readonly name: string;
  readonly args: string;
}

const padded = (size: number): number => (size + 3) & ~3;

/** Each: sizes of owner and description, type; then both, padded. The description: three addresses, three strings. */
function* readNotes(view: DataView, file: Uint8Array, { offset, size }: Section): Iterable<Note> {
  for (let at = offset; at + 12 <= offset + size; ) {
    const ownerSize = view.getUint32(at, true);
    const descriptionSize = view.getUint32(at + 4, true);
    const description = at + 12 + padded(ownerSize);
    if (view.getUint32(at + 8, true) === NOTE_TYPE && cString(file, at + 12) === NOTE_OWNER)
      yield readNote(view, file, description);
    at = description + padded(descriptionSize);
  }
}

function readNote(view: DataView, file: Uint8Array, at: number): Note {
  const provider = cString(file, at + 24);
  const nameAt = at + 24 + Buffer.byteLength(provider) + 1;
  const name = cString(file, nameAt);
  const args = cString(file, nameAt + Buffer.byteLength(name) + 1);
  return { address: u64(view, at), base: u64(view, at + 8), semaphore: u64(view, at + 16), provider, name, args };
}

function cString(file: Uint8Array, at: number): string {
  const end = file.indexOf(0, at);
  if (end < 0 || at >= file.length) throw new RangeError(`no string at ${at}`);
  return Buffer.from(file.subarray(at, end)).toString();
}
