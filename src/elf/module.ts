/** Everything that can be known of one program or library: symbols, source lines, USDT probes, unwind rules, each read when it is first asked for. */
import { type ReadFile, separateDebugFile } from './debug-file.js';
import { FrameTable } from './dwarf/frame-table.js';
import { ElfFile } from './elf-file.js';
import { SourceLines } from './source-lines.js';
import { type ElfSymbol, elfSymbols, SymbolTable } from './symbols.js';
import { type UsdtProbe, usdtProbes } from './usdt.js';

export class Module {
  private readonly cache = new Map<string, unknown>();

  constructor(
    /** As it is mapped. */
    readonly path: string,
    private readonly bytes: Uint8Array,
    private readonly readFile: ReadFile,
  ) {}

  /** undefined: the file is no ELF64 file. */
  get elf(): ElfFile | undefined {
    return this.once('elf', () => ElfFile.read(this.bytes));
  }

  /** Functions and data, also those that only separate debug information names. */
  get symbols(): SymbolTable {
    return this.once('symbols', () => {
      const files = [this.elf, this.debug].filter((elf) => elf !== undefined);
      const all = files.flatMap(elfSymbols);
      return new SymbolTable([...new Map(all.map((symbol) => [keyOf(symbol), symbol])).values()]);
    });
  }

  /** undefined: nothing says which source the code came from. */
  get lines(): SourceLines | undefined {
    return this.once('lines', () => {
      for (const elf of [this.elf, this.debug]) {
        const lines = elf && new SourceLines(elf);
        if (lines !== undefined && !lines.empty) return lines;
      }
      return undefined;
    });
  }

  get usdt(): readonly UsdtProbe[] {
    return this.once('usdt', () => usdtProbes(this.bytes));
  }

  get frames(): FrameTable | undefined {
    return this.once('frames', () => {
      const { elf } = this;
      if (elf === undefined) return undefined;
      const own = FrameTable.read(elf, '.eh_frame');
      return own.empty && this.debug !== undefined ? FrameTable.read(this.debug, '.debug_frame') : own;
    });
  }

  /** Separate debug information, if it is installed. */
  private get debug(): ElfFile | undefined {
    return this.once('debug', () => this.elf && separateDebugFile(this.elf, this.path, this.readFile));
  }

  private once<T>(key: string, make: () => T): T {
    if (!this.cache.has(key)) this.cache.set(key, make());
    return this.cache.get(key) as T;
  }
}

function keyOf({ name, version, address }: ElfSymbol): string {
  return `${name} ${version ?? ''} ${address}`;
}
