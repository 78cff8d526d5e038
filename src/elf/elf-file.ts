/** A 64-bit little-endian ELF file in memory: its sections and segments (System V gABI, "Object Files"; elf(5)). Cold: read once for each file. */
import { inflateSync } from 'node:zlib';

const ELF_MAGIC = 0x7f454c46;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const SECTION_HEADER = 64;
const PT_LOAD = 1;
const SHT_NOBITS = 8;
const SHF_COMPRESSED = 0x800;
const ELFCOMPRESS_ZLIB = 1;
/** Elf64_Chdr. */
const COMPRESSION_HEADER = 24;
const NT_GNU_BUILD_ID = 3;

export interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** As linked; 0 for sections that are not loaded. */
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  /** Index of the section with its strings. */
  readonly link: number;
}

/** What of the file is mapped where (PT_LOAD). */
export interface Segment {
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

export class ElfFile {
  readonly view: DataView;
  readonly sections: readonly Section[];
  readonly segments: readonly Segment[];
  private readonly inflated = new Map<Section, Uint8Array>();

  private constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.segments = this.readSegments();
    this.sections = this.readSections();
  }

  /** undefined: it is something else, or cut off. */
  static read(bytes: Uint8Array): ElfFile | undefined {
    if (bytes.length < HEADER || new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) !== ELF_MAGIC)
      return undefined;
    if (bytes[4] !== CLASS_64 || bytes[5] !== LITTLE_ENDIAN) return undefined;
    return withinBounds(() => new ElfFile(bytes));
  }

  section(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** The bytes of the section, decompressed; none when the file has no such section or not its bytes. */
  contents(section: Section | undefined): Uint8Array {
    if (section === undefined || section.type === SHT_NOBITS) return NOTHING;
    const raw = this.bytes.subarray(section.offset, section.offset + section.size);
    if ((section.flags & SHF_COMPRESSED) === 0) return raw;
    const known = this.inflated.get(section);
    if (known !== undefined) return known;
    const plain = decompressed(raw);
    this.inflated.set(section, plain);
    return plain;
  }

  contentsOf(name: string): Uint8Array {
    return this.contents(this.section(name));
  }

  /** Where in the file the byte lies that is linked at the address. */
  offsetOf(address: number): number | undefined {
    const segment = this.segments.find((one) => address >= one.address && address < one.address + one.fileSize);
    return segment && address - segment.address + segment.offset;
  }

  /** The reverse. The same byte may be mapped by two segments: the first that does. */
  addressOf(offset: number): number | undefined {
    const segment = this.segments.find((one) => offset >= one.offset && offset < one.offset + one.fileSize);
    return segment && offset - segment.offset + segment.address;
  }

  /** In hexadecimal: what ties separate debug information to its program. */
  get buildId(): string | undefined {
    for (const { type, description } of notes(this.contentsOf('.note.gnu.build-id'), 'GNU'))
      if (type === NT_GNU_BUILD_ID) return Buffer.from(description).toString('hex');
    return undefined;
  }

  private readSegments(): Segment[] {
    const { view } = this;
    const table = u64(view, 0x20);
    const all = Array.from({ length: view.getUint16(0x38, true) }, (_, i) => table + i * PROGRAM_HEADER);
    return all
      .filter((at) => view.getUint32(at, true) === PT_LOAD)
      .map((at) => ({ offset: u64(view, at + 8), address: u64(view, at + 0x10), fileSize: u64(view, at + 0x20) }));
  }

  private readSections(): Section[] {
    const { view } = this;
    const table = u64(view, 0x28);
    if (table === 0) return [];
    const namesAt = table + view.getUint16(0x3e, true) * SECTION_HEADER;
    const names = u64(view, namesAt + 0x18);
    return Array.from({ length: view.getUint16(0x3c, true) }, (_, i): Section => {
      const at = table + i * SECTION_HEADER;
      return {
        name: cString(this.bytes, names + view.getUint32(at, true)),
        type: view.getUint32(at + 4, true),
        flags: view.getUint32(at + 8, true),
        address: u64(view, at + 0x10),
        offset: u64(view, at + 0x18),
        size: u64(view, at + 0x20),
        link: view.getUint32(at + 0x28, true),
      };
    });
  }
}

const NOTHING = new Uint8Array(0);

function decompressed(raw: Uint8Array): Uint8Array {
  const kind = new DataView(raw.buffer, raw.byteOffset, raw.byteLength).getUint32(0, true);
  return kind === ELFCOMPRESS_ZLIB ? inflateSync(raw.subarray(COMPRESSION_HEADER)) : NOTHING;
}

/** `read`, or undefined where a table points behind the end of the file. */
export function withinBounds<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Exact below 2^53; a larger one is no address and no size that anything could have. */
export function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** The bytes before the NUL. Throws a RangeError where there is none. */
export function cString(bytes: Uint8Array, at: number): string {
  const end = at < bytes.length ? bytes.indexOf(0, at) : -1;
  if (end < 0) throw new RangeError(`no string at ${at}`);
  return Buffer.from(bytes.subarray(at, end)).toString();
}

export interface Note {
  readonly type: number;
  readonly description: Uint8Array;
}

const padded = (size: number): number => (size + 3) & ~3;

/** The notes of one owner. Each: sizes of owner and description, type; then both, padded to four bytes. */
export function* notes(section: Uint8Array, owner: string): Iterable<Note> {
  const view = new DataView(section.buffer, section.byteOffset, section.byteLength);
  for (let at = 0; at + 12 <= section.length; ) {
    const ownerSize = view.getUint32(at, true);
    const descriptionSize = view.getUint32(at + 4, true);
    const description = at + 12 + padded(ownerSize);
    if (cString(section, at + 12) === owner)
      yield {
        type: view.getUint32(at + 8, true),
        description: section.subarray(description, description + descriptionSize),
      };
    at = description + padded(descriptionSize);
  }
}
