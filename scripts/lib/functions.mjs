/** Where a program's or library's functions are, in the file and as it is linked. */
import { readFileSync } from 'node:fs';
import { ElfFile, elfSymbols } from '../../dist/uprobes-api.js';

/** By name: { address, offset }. */
export function functionsOf(path) {
  const elf = ElfFile.read(readFileSync(path));
  if (elf === undefined) throw new Error(`${path} is no ELF file`);
  const current = elfSymbols(elf).filter(({ kind, superseded }) => kind !== 'data' && !superseded);
  return new Map(current.map(({ name, address }) => [name, { address, offset: elf.offsetOf(address) }]));
}
