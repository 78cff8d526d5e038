/**
 * Functions, inlined functions and blocks of a compilation unit: `.debug_info` of DWARF 2 to 5, as far as finding breakpoints needs it. Read for those
 * units alone whose lines are asked for.
 */
import { cString, type ElfFile, withinBounds } from '../elf-file.js';
import { DwarfCursor } from './cursor.js';
import { type FormContext, type FormValue, readForm } from './forms.js';

/** Where code of a function or block lies; `low` inclusive, `high` exclusive, as linked. */
export interface Scope {
  readonly kind: 'function' | 'inlined' | 'block';
  readonly ranges: readonly { readonly low: number; readonly high: number }[];
  readonly depth: number;
  /** Of functions. */
  readonly name: string | undefined;
  /** Line of the declaration and index of its file in the line table; undefined: not said. */
  readonly line: number | undefined;
  readonly file: number | undefined;
}

/** One compilation unit. */
export interface UnitScopes {
  /** DW_AT_stmt_list. */
  readonly lineOffset: number;
  readonly directory: string | undefined;
  readonly scopes: readonly Scope[];
}

const TAG = {
  BLOCK: 0x0b,
  COMPILE_UNIT: 0x11,
  INLINED: 0x1d,
  SUBPROGRAM: 0x2e,
  PARTIAL_UNIT: 0x3c,
  SKELETON_UNIT: 0x4a,
} as const;
const AT = {
  NAME: 0x03,
  STMT_LIST: 0x10,
  LOW_PC: 0x11,
  HIGH_PC: 0x12,
  COMP_DIR: 0x1b,
  ABSTRACT_ORIGIN: 0x31,
  DECL_FILE: 0x3a,
  DECL_LINE: 0x3b,
  SPECIFICATION: 0x47,
  RANGES: 0x55,
  STR_OFFSETS_BASE: 0x72,
  ADDR_BASE: 0x73,
  RNGLISTS_BASE: 0x74,
} as const;
const WANTED: ReadonlySet<number> = new Set(Object.values(AT));
const FORM_ADDR = 0x01;

interface Abbreviation {
  readonly tag: number;
  readonly hasChildren: boolean;
  readonly attributes: readonly { readonly name: number; readonly form: number; readonly implicit: number }[];
}

interface Die {
  readonly offset: number;
  readonly tag: number;
  readonly depth: number;
  readonly hasChildren: boolean;
  readonly values: ReadonlyMap<number, FormValue & { readonly form: number }>;
}

/** The units whose line programs begin at these offsets. */
export function unitScopes(elf: ElfFile, lineOffsets: ReadonlySet<number>): readonly UnitScopes[] {
  const info = elf.contentsOf('.debug_info');
  const found: UnitScopes[] = [];
  const tables = new Map<number, ReadonlyMap<number, Abbreviation>>();
  withinBounds(() => {
    for (let at = 0; at < info.length; ) {
      const cursor = new DwarfCursor(info, at);
      const { length, offsetSize } = cursor.initialLength();
      const end = cursor.at + length;
      const unit = withinBounds(() => new Unit(elf, at, new DwarfCursor(info, cursor.at, end), offsetSize, tables));
      if (unit?.lineOffset !== undefined && lineOffsets.has(unit.lineOffset)) {
        const scopes = withinBounds(() => unit.scopes());
        found.push({ lineOffset: unit.lineOffset, directory: unit.directory, scopes: scopes ?? [] });
      }
      at = end;
    }
  });
  return found;
}

const UNIT_COMPILE = 1;
const UNIT_SKELETON = 4;
const UNIT_TYPE = 2;
const UNIT_SPLIT_COMPILE = 5;

class Unit {
  readonly lineOffset: number | undefined;
  readonly directory: string | undefined;
  private readonly context: FormContext;
  private readonly abbreviations: ReadonlyMap<number, Abbreviation>;
  private readonly root: Die;
  private readonly firstDie: number;
  private readonly baseAddress: number;

  constructor(
    private readonly elf: ElfFile,
    /** Of the unit's header. */
    private readonly offset: number,
    private readonly cursor: DwarfCursor,
    offsetSize: 4 | 8,
    tables: Map<number, ReadonlyMap<number, Abbreviation>>,
  ) {
    const version = cursor.u16();
    if (version < 2 || version > 5) throw new RangeError(`version ${version} of debug information`);
    const type = version >= 5 ? cursor.u8() : UNIT_COMPILE;
    const newSize = version >= 5 ? cursor.u8() : 0;
    const abbreviationsAt = cursor.uint(offsetSize);
    const addressSize = version >= 5 ? newSize : cursor.u8();
    this.context = { version, offsetSize, addressSize };
    if (type === UNIT_SKELETON || type === UNIT_SPLIT_COMPILE) cursor.skip(8);
    else if (type >= UNIT_TYPE && type !== 3) cursor.skip(8 + offsetSize);
    let table = tables.get(abbreviationsAt);
    if (table === undefined) {
      table = readAbbreviations(elf.contentsOf('.debug_abbrev'), abbreviationsAt);
      tables.set(abbreviationsAt, table);
    }
    this.abbreviations = table;
    this.firstDie = cursor.at;
    const root = this.die(0);
    if (root === undefined) throw new RangeError('a unit without an entry');
    this.root = root;
    const list = root.values.get(AT.STMT_LIST);
    const described = [TAG.COMPILE_UNIT, TAG.PARTIAL_UNIT, TAG.SKELETON_UNIT] as readonly number[];
    this.lineOffset = described.includes(root.tag) && list !== undefined ? Number(list.value) : undefined;
    this.baseAddress = this.address(root.values.get(AT.LOW_PC)) ?? 0;
    this.directory = this.text(root.values.get(AT.COMP_DIR));
  }

  scopes(): Scope[] {
    const found: Scope[] = [];
    const { cursor } = this;
    cursor.at = this.firstDie;
    for (let depth = 0; !cursor.done; ) {
      const die = this.die(depth);
      if (die === undefined) {
        if (--depth <= 0) break;
        continue;
      }
      const scope = this.scopeOf(die);
      if (scope !== undefined) found.push(scope);
      if (die.hasChildren) depth++;
      else if (depth === 0) break;
    }
    return found;
  }

  /** The entry at the cursor; undefined: the end of a list of siblings. */
  private die(depth: number): Die | undefined {
    const { cursor } = this;
    const offset = cursor.at;
    const code = cursor.uleb();
    if (code === 0) return undefined;
    const abbreviation = this.abbreviations.get(code);
    if (abbreviation === undefined) throw new RangeError(`no abbreviation ${code}`);
    const values = new Map<number, FormValue & { readonly form: number }>();
    for (const { name, form, implicit } of abbreviation.attributes) {
      const value = readForm(form, cursor, this.context, implicit);
      if (WANTED.has(name)) values.set(name, { ...value, form });
    }
    return { offset, tag: abbreviation.tag, depth, hasChildren: abbreviation.hasChildren, values };
  }

  private scopeOf(die: Die): Scope | undefined {
    const kind =
      die.tag === TAG.SUBPROGRAM
        ? 'function'
        : die.tag === TAG.INLINED
          ? 'inlined'
          : die.tag === TAG.BLOCK
            ? 'block'
            : undefined;
    if (kind === undefined) return undefined;
    const ranges = this.ranges(die);
    if (ranges.length === 0) return undefined;
    const declared = kind === 'block' ? undefined : this.declaration(die);
    return {
      kind,
      ranges,
      depth: die.depth,
      name: declared && this.text(declared.values.get(AT.NAME)),
      line: numberOf(declared?.values.get(AT.DECL_LINE)),
      file: numberOf(declared?.values.get(AT.DECL_FILE)),
    };
  }

  /** The entry that has the name: an instance of an inline function and a member defined outside of its class refer to it. */
  private declaration(die: Die): Die {
    const { cursor } = this;
    const back = cursor.at;
    let found = die;
    for (let hops = 0; hops < 8 && !found.values.has(AT.NAME); hops++) {
      const reference = found.values.get(AT.ABSTRACT_ORIGIN) ?? found.values.get(AT.SPECIFICATION);
      if (reference === undefined) break;
      const at = reference.kind === 'section' ? Number(reference.value) : this.offset + Number(reference.value);
      if (reference.kind === 'skipped' || at < this.firstDie || at >= cursor.end) break;
      cursor.at = at;
      const next = this.die(0);
      if (next === undefined) break;
      found = next;
    }
    cursor.at = back;
    return found;
  }

  private ranges({ values }: Die): { low: number; high: number }[] {
    const list = values.get(AT.RANGES);
    if (list !== undefined)
      return this.context.version >= 5 ? this.newRanges(list) : this.oldRanges(Number(list.value));
    const low = this.address(values.get(AT.LOW_PC));
    const end = values.get(AT.HIGH_PC);
    if (low === undefined || end === undefined) return [];
    const isAddress = end.form === FORM_ADDR || end.kind === 'addressIndex';
    const high = isAddress ? (this.address(end) ?? low) : low + Number(end.value);
    return high > low ? [{ low, high }] : [];
  }

  /** .debug_ranges: pairs of addresses relative to a base, up to two zeros. */
  private oldRanges(at: number): { low: number; high: number }[] {
    const cursor = new DwarfCursor(this.elf.contentsOf('.debug_ranges'), at);
    const ranges: { low: number; high: number }[] = [];
    for (let base = this.baseAddress; ; ) {
      const [low, high] = [cursor.u64(), cursor.u64()];
      if (low === 0 && high === 0) return ranges;
      if (low >= 2 ** 63) base = high;
      else if (high > low) ranges.push({ low: base + low, high: base + high });
    }
  }

  /** .debug_rnglists (DWARF 5, 2.17.3). */
  private newRanges({ kind, value }: FormValue): { low: number; high: number }[] {
    const section = this.elf.contentsOf('.debug_rnglists');
    let at = Number(value);
    if (kind === 'listIndex') {
      const tableAt = numberOf(this.root.values.get(AT.RNGLISTS_BASE)) ?? this.context.offsetSize + 8;
      const { offsetSize } = this.context;
      at = tableAt + new DwarfCursor(section, tableAt + offsetSize * at).uint(offsetSize);
    }
    const cursor = new DwarfCursor(section, at);
    const ranges: { low: number; high: number }[] = [];
    const add = (low: number, high: number): void => {
      if (high > low) ranges.push({ low, high });
    };
    const indexed = (): number => this.indexedAddress(cursor.uleb());
    for (let base = this.baseAddress; ; ) {
      switch (cursor.u8()) {
        case 0:
          return ranges;
        case 1:
          base = indexed();
          break;
        case 2:
          add(indexed(), indexed());
          break;
        case 3: {
          const low = indexed();
          add(low, low + cursor.uleb());
          break;
        }
        case 4:
          add(base + cursor.uleb(), base + cursor.uleb());
          break;
        case 5:
          base = cursor.u64();
          break;
        case 6:
          add(cursor.u64(), cursor.u64());
          break;
        case 7: {
          const low = cursor.u64();
          add(low, low + cursor.uleb());
          break;
        }
        default:
          return ranges;
      }
    }
  }

  private address(value: FormValue | undefined): number | undefined {
    if (value === undefined) return undefined;
    return value.kind === 'addressIndex' ? this.indexedAddress(value.value) : Number(value.value);
  }

  private indexedAddress(index: number): number {
    const base = numberOf(this.root.values.get(AT.ADDR_BASE)) ?? 8;
    return new DwarfCursor(this.elf.contentsOf('.debug_addr'), base + 8 * index).u64();
  }

  private text(value: FormValue | undefined): string | undefined {
    switch (value?.kind) {
      case 'string':
        return String(value.value);
      case 'str':
        return cString(this.elf.contentsOf('.debug_str'), value.value);
      case 'lineStr':
        return cString(this.elf.contentsOf('.debug_line_str'), value.value);
      case 'stringIndex': {
        const { offsetSize } = this.context;
        const base = numberOf(this.root.values.get(AT.STR_OFFSETS_BASE)) ?? 8;
        const at = new DwarfCursor(this.elf.contentsOf('.debug_str_offsets'), base + offsetSize * value.value).uint(
          offsetSize,
        );
        return cString(this.elf.contentsOf('.debug_str'), at);
      }
      default:
        return undefined;
    }
  }
}

function numberOf(value: FormValue | undefined): number | undefined {
  return typeof value?.value === 'number' && value.kind !== 'skipped' ? value.value : undefined;
}

function readAbbreviations(section: Uint8Array, at: number): ReadonlyMap<number, Abbreviation> {
  const cursor = new DwarfCursor(section, at);
  const table = new Map<number, Abbreviation>();
  for (let code = cursor.uleb(); code !== 0; code = cursor.uleb()) {
    const tag = cursor.uleb();
    const hasChildren = cursor.u8() !== 0;
    const attributes: { name: number; form: number; implicit: number }[] = [];
    for (;;) {
      const name = cursor.uleb();
      const form = cursor.uleb();
      const implicit = form === 0x21 ? cursor.sleb() : 0;
      if (name === 0 && form === 0) break;
      attributes.push({ name, form, implicit });
    }
    table.set(code, { tag, hasChildren, attributes });
  }
  return table;
}
