/** Symbols of an ELF file: functions and data by name, functions by address. */
import { cString, type ElfFile, type Section, u64, withinBounds } from './elf-file.js';

export interface ElfSymbol {
  /** Without its version. */
  readonly name: string;
  /** `GLIBC_2.14`; undefined: it has none. */
  readonly version: string | undefined;
  /** An older version, which only programs linked long ago use (`name@VERSION` instead of `name@@VERSION`). */
  readonly superseded: boolean;
  /** resolver: a function that chooses the function at load time (STT_GNU_IFUNC). */
  readonly kind: 'function' | 'resolver' | 'data';
  /** As linked. */
  readonly address: number;
  readonly size: number;
}

const SYMBOL = 24;
const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const KINDS: ReadonlyMap<number, ElfSymbol['kind']> = new Map([
  [1, 'data'],
  [2, 'function'],
  [10, 'resolver'],
]);
const VERSION_HIDDEN = 0x8000;

/** Of both symbol tables; what both have is there once. Empty when a table points behind the end of the file. */
export function elfSymbols(elf: ElfFile): readonly ElfSymbol[] {
  return (
    withinBounds(() => {
      const found = new Map<string, ElfSymbol>();
      for (const type of [SHT_SYMTAB, SHT_DYNSYM]) {
        for (const section of elf.sections) {
          if (section.type !== type) continue;
          for (const symbol of readTable(elf, section, type === SHT_DYNSYM ? versions(elf) : undefined)) {
            const key = `${symbol.name} ${symbol.address}`;
            found.set(`${key} ${symbol.version ?? ''}`, symbol);
            // The dynamic table has the versions: it says more.
            if (symbol.version !== undefined) found.delete(`${key} `);
          }
        }
      }
      return [...found.values()];
    }) ?? []
  );
}

function* readTable(elf: ElfFile, section: Section, versionOf?: (index: number) => Version): Iterable<ElfSymbol> {
  const table = elf.contents(section);
  const names = elf.contents(elf.sections[section.link]);
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  for (let at = 0; at + SYMBOL <= table.length; at += SYMBOL) {
    const kind = KINDS.get(view.getUint8(at + 4) & 0xf);
    if (kind === undefined || view.getUint16(at + 6, true) === 0) continue;
    const [name = '', ...version] = cString(names, view.getUint32(at, true)).split('@');
    const own = { version: version.at(-1), superseded: version.length === 1 };
    const { version: known, superseded } = versionOf?.(at / SYMBOL) ?? own;
    yield { name, version: known, superseded, kind, address: u64(view, at + 8), size: u64(view, at + 16) };
  }
}

interface Version {
  readonly version: string | undefined;
  readonly superseded: boolean;
}

/** Which version the n-th dynamic symbol has (.gnu.version, .gnu.version_d). */
function versions(elf: ElfFile): ((index: number) => Version) | undefined {
  const numbers = elf.contentsOf('.gnu.version');
  const definitions = elf.section('.gnu.version_d');
  if (numbers.length === 0 || definitions === undefined) return undefined;
  const names = versionNames(elf, definitions);
  const view = new DataView(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return (index) => {
    const number = view.getUint16(2 * index, true);
    const version = names.get(number & ~VERSION_HIDDEN);
    return { version, superseded: version !== undefined && (number & VERSION_HIDDEN) !== 0 };
  };
}

/** Verdef: version, flags, index, count, hash, first name, next. */
function versionNames(elf: ElfFile, section: Section): Map<number, string> {
  const bytes = elf.contents(section);
  const strings = elf.contents(elf.sections[section.link]);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names = new Map<number, string>();
  for (let at = 0; at + 20 <= bytes.length; ) {
    const index = view.getUint16(at + 4, true);
    // The first one, of index 1, is the file's own name.
    if (index > 1) names.set(index, cString(strings, view.getUint32(at + view.getUint32(at + 12, true), true)));
    const next = view.getUint32(at + 16, true);
    if (next === 0) break;
    at += next;
  }
  return names;
}

/** The symbols of a file for look-ups. */
export class SymbolTable {
  private readonly byName = new Map<string, ElfSymbol[]>();
  private sorted: readonly ElfSymbol[] | undefined;

  constructor(private readonly symbols: readonly ElfSymbol[]) {
    for (const symbol of symbols) {
      const same = this.byName.get(symbol.name);
      if (same === undefined) this.byName.set(symbol.name, [symbol]);
      else same.push(symbol);
    }
  }

  /** Functions of this name: `malloc`, `memcpy@GLIBC_2.2.5`, or with `*`, `?` and `[...]`. Several static ones may have the same. */
  functions(name: string): readonly ElfSymbol[] {
    const [plain = '', version] = name.split(/@+/);
    if (/[*?[]/.test(plain)) {
      const pattern = globPattern(plain);
      return distinct(
        this.symbols.filter((symbol) => isCode(symbol) && !symbol.superseded && pattern.test(symbol.name)),
      );
    }
    const all = (this.byName.get(plain) ?? []).filter(isCode);
    if (version !== undefined) return distinct(all.filter((symbol) => symbol.version === version));
    const present = all.filter(({ superseded }) => !superseded);
    return distinct(present.length > 0 ? present : all);
  }

  /** Names of functions that may be meant by one that there is not. */
  similar(name: string): readonly string[] {
    const wanted = name.replace(/[@*?[].*/, '');
    const names = [...this.byName].filter(([, symbols]) => symbols.some(isCode)).map(([known]) => known);
    const near = names.filter((known) => isNear(known, wanted));
    const holding = wanted.length > 2 ? names.filter((known) => known.includes(wanted)) : [];
    return [...new Set([...near, ...holding])].slice(0, 3);
  }

  data(name: string): ElfSymbol | undefined {
    return this.byName.get(name)?.find(({ kind }) => kind === 'data');
  }

  /** The function that the address lies in. One without a size reaches to the next. */
  at(address: number): ElfSymbol | undefined {
    this.sorted ??= this.symbols.filter(isCode).sort((a, b) => a.address - b.address || a.size - b.size);
    const { sorted } = this;
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle]?.address ?? 0) <= address) low = middle + 1;
      else high = middle;
    }
    const found = sorted[low - 1];
    if (found === undefined) return undefined;
    return found.size === 0 || address < found.address + found.size ? this.preferred(found) : undefined;
  }

  /** Of several names of one place: a global-looking one rather than `__libc_malloc` or `_IO_puts`. */
  private preferred(found: ElfSymbol): ElfSymbol {
    const { sorted = [] } = this;
    let best = found;
    for (let i = sorted.lastIndexOf(found); i >= 0 && sorted[i]?.address === found.address; i--) {
      const other = sorted[i] as ElfSymbol;
      if (underscores(other.name) < underscores(best.name) && other.size === found.size) best = other;
    }
    return best;
  }
}

function isCode({ kind }: ElfSymbol): boolean {
  return kind !== 'data';
}

function underscores(name: string): number {
  return name.length - name.replace(/^_+/, '').length;
}

/** One for each place: the one that says that it is a resolver, if one does. */
function distinct(symbols: readonly ElfSymbol[]): readonly ElfSymbol[] {
  const byAddress = new Map<number, ElfSymbol>();
  for (const symbol of symbols) {
    if (byAddress.get(symbol.address)?.kind !== 'resolver') byAddress.set(symbol.address, symbol);
  }
  return [...byAddress.values()];
}

/** One letter more, less, other, or two in the wrong order. */
function isNear(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 1 || one.length < 3) return false;
  let from = 0;
  while (from < one.length && one[from] === other[from]) from++;
  let [end, otherEnd] = [one.length, other.length];
  while (end > from && otherEnd > from && one[end - 1] === other[otherEnd - 1]) {
    end--;
    otherEnd--;
  }
  const [left, right] = [one.slice(from, end), other.slice(from, otherEnd)];
  return left.length <= 1 && right.length <= 1 ? true : left.length === 2 && left === `${right[1]}${right[0]}`;
}

/** A shell's pattern. */
export function globPattern(text: string): RegExp {
  const body = text
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.')
    .replace(/\[!/g, '[^');
  try {
    return new RegExp(`^${body}$`, 's');
  } catch {
    // A bracket without its partner stands for itself.
    return new RegExp(`^${body.replace(/[[\]]/g, '\\$&')}$`, 's');
  }
}
