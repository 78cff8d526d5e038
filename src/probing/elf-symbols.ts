/** Functions of an ELF64 file by name, and where they lie in the file: what a probe by symbol needs. Both symbol tables are read. */

export interface ElfFunction {
  /** Virtual address as linked. */
  readonly address: number;
  /** Offset in the file. */
  readonly offset: number;
  readonly size: number;
}

const ELF_MAGIC = 0x7f454c46;
const HEADER = 64;
const PROGRAM_HEADER = 56;
const SECTION_HEADER = 64;
const SYMBOL = 24;
const PT_LOAD = 1;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
/** Plain functions, and those whose address a resolver chooses (STT_GNU_IFUNC): then the resolver is what is found. */
const FUNCTION_TYPES = new Set([2, 10]);

/** By name, without version. The first of a name wins: `.symtab` before `.dynsym`. Empty for anything but a whole ELF64 file. */
export function elfFunctions(file: Uint8Array): ReadonlyMap<string, ElfFunction> {
  const functions = new Map<string, ElfFunction>();
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < HEADER || view.getUint32(0) !== ELF_MAGIC) return functions;
  try {
    readTables(view, file, functions);
  } catch (error) {
    // A table that points behind the end of the file.
    if (!(error instanceof RangeError)) throw error;
  }
  return functions;
}

function u64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

function readTables(view: DataView, file: Uint8Array, functions: Map<string, ElfFunction>): void {
  const table = u64(view, 0x28);
  const sections = Array.from({ length: view.getUint16(0x3c, true) }, (_, i) => table + i * SECTION_HEADER);
  const offsetOf = fileOffsets(view);
  for (const type of [SHT_SYMTAB, SHT_DYNSYM]) {
    for (const at of sections) {
      if (view.getUint32(at + 4, true) !== type) continue;
      const names = u64(view, table + view.getUint32(at + 0x28, true) * SECTION_HEADER + 0x18);
      readSymbols(view, file, { from: u64(view, at + 0x18), size: u64(view, at + 0x20), names }, offsetOf, functions);
    }
  }
}

function fileOffsets(view: DataView): (address: number) => number | undefined {
  const table = u64(view, 0x20);
  const loads = Array.from({ length: view.getUint16(0x38, true) }, (_, i) => table + i * PROGRAM_HEADER)
    .filter((at) => view.getUint32(at, true) === PT_LOAD)
    .map((at) => ({ offset: u64(view, at + 8), address: u64(view, at + 0x10), size: u64(view, at + 0x20) }));
  return (address) => {
    const load = loads.find((one) => address >= one.address && address < one.address + one.size);
    return load && address - load.address + load.offset;
  };
}

function readSymbols(
  view: DataView,
  file: Uint8Array,
  { from, size, names }: { readonly from: number; readonly size: number; readonly names: number },
  offsetOf: (address: number) => number | undefined,
  functions: Map<string, ElfFunction>,
): void {
  for (let at = from; at + SYMBOL <= from + size; at += SYMBOL) {
    const section = view.getUint16(at + 6, true);
    if (section === 0 || !FUNCTION_TYPES.has(view.getUint8(at + 4) & 0xf)) continue;
    const address = u64(view, at + 8);
    const offset = offsetOf(address);
    const name = nameAt(file, names + view.getUint32(at, true));
    if (offset === undefined || functions.has(name)) continue;
    functions.set(name, { address, offset, size: u64(view, at + 16) });
  }
}

function nameAt(file: Uint8Array, at: number): string {
  return Buffer.from(file.subarray(at, file.indexOf(0, at))).toString();
}
