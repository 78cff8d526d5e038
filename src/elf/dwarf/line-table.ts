/** Which source line each instruction belongs to: `.debug_line` of DWARF 2 to 5 (DWARF 5, 6.2). */
import { cString, type ElfFile, withinBounds } from '../elf-file.js';
import { DwarfCursor } from './cursor.js';
import { type FormContext, readForm } from './forms.js';

export interface LineRow {
  /** As linked. */
  readonly address: number;
  /** Index in the unit's `files`. */
  readonly file: number;
  readonly line: number;
  /** A good place for a breakpoint. */
  readonly isStatement: boolean;
  /** No instruction: the end of what the rows before describe. */
  readonly ends: boolean;
}

/** The line number program of one compilation unit. */
export class LineUnit {
  private decoded: readonly LineRow[] | undefined;

  constructor(
    /** Of its header in the section: DW_AT_stmt_list. */
    readonly offset: number,
    /** Paths by number, as far as the table has them: relative ones begin at the unit's compilation directory. */
    readonly files: readonly (string | undefined)[],
    private readonly program: Program,
  ) {}

  /** In the order of the program: addresses ascend up to each end. */
  get rows(): readonly LineRow[] {
    this.decoded ??= withinBounds(() => [...run(this.program)]) ?? [];
    return this.decoded;
  }
}

interface Program {
  readonly section: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly addressSize: number;
  readonly minInsnLength: number;
  readonly defaultIsStatement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
  /** Operands of the standard opcodes, from 1. */
  readonly operandCounts: readonly number[];
}

/** Every unit of the file. A table that is cut off ends the list. */
export function lineUnits(elf: ElfFile): readonly LineUnit[] {
  const section = elf.contentsOf('.debug_line');
  const strings = { str: elf.contentsOf('.debug_str'), lineStr: elf.contentsOf('.debug_line_str') };
  const units: LineUnit[] = [];
  withinBounds(() => {
    for (let at = 0; at < section.length; ) {
      const cursor = new DwarfCursor(section, at);
      const { length, offsetSize } = cursor.initialLength();
      const end = cursor.at + length;
      const unit = withinBounds(() =>
        readUnit(section, at, new DwarfCursor(section, cursor.at, end), offsetSize, strings),
      );
      if (unit !== undefined) units.push(unit);
      at = end;
    }
  });
  return units;
}

interface Strings {
  readonly str: Uint8Array;
  readonly lineStr: Uint8Array;
}

/** undefined: of a version that is not known. */
function readUnit(
  section: Uint8Array,
  offset: number,
  cursor: DwarfCursor,
  offsetSize: 4 | 8,
  strings: Strings,
): LineUnit | undefined {
  const version = cursor.u16();
  if (version < 2 || version > 5) return undefined;
  const addressSize = version >= 5 ? cursor.u8() : 8;
  if (version >= 5) cursor.u8(); // segment selectors
  const headerLength = cursor.uint(offsetSize);
  const from = cursor.at + headerLength;
  const minInsnLength = cursor.u8();
  if (version >= 4) cursor.u8(); // operations in an instruction: 1 but for VLIW
  const defaultIsStatement = cursor.u8() !== 0;
  const lineBase = cursor.s8();
  const lineRange = cursor.u8();
  const opcodeBase = cursor.u8();
  const operandCounts = [0, ...Array.from({ length: opcodeBase - 1 }, () => cursor.u8())];
  const context = { version, offsetSize, addressSize };
  const files = version >= 5 ? readEntries(cursor, context, strings) : readOldEntries(cursor);
  const program = {
    section,
    from,
    to: cursor.end,
    addressSize,
    minInsnLength,
    defaultIsStatement,
    lineBase,
    lineRange,
    opcodeBase,
    operandCounts,
  };
  return new LineUnit(offset, files, program);
}

/** Before version 5: directories from 1, 0 is the compilation directory; files from 1. */
function readOldEntries(cursor: DwarfCursor): (string | undefined)[] {
  const directories: (string | undefined)[] = [undefined];
  for (let name = cursor.string(); name !== ''; name = cursor.string()) directories.push(name);
  const files: (string | undefined)[] = [undefined];
  for (let name = cursor.string(); name !== ''; name = cursor.string()) {
    files.push(joined(directories[cursor.uleb()], name));
    cursor.uleb(); // time
    cursor.uleb(); // size
  }
  return files;
}

const DW_LNCT_PATH = 1;
const DW_LNCT_DIRECTORY = 2;

/** Version 5: both from 0, in a form that the header describes. */
function readEntries(cursor: DwarfCursor, context: FormContext, strings: Strings): string[] {
  const directories = readTable(cursor, context, strings).map(({ path }) => path);
  const first = directories[0] ?? '';
  return readTable(cursor, context, strings).map(({ path, directory }) => {
    const folder = directories[directory];
    return joined(folder === undefined ? undefined : joined(first, folder), path);
  });
}

function readTable(cursor: DwarfCursor, context: FormContext, strings: Strings): { path: string; directory: number }[] {
  const formats = Array.from({ length: cursor.u8() }, () => ({ content: cursor.uleb(), form: cursor.uleb() }));
  return Array.from({ length: cursor.uleb() }, () => {
    let path = '';
    let directory = 0;
    for (const { content, form } of formats) {
      const value = readForm(form, cursor, context);
      if (content === DW_LNCT_DIRECTORY) directory = Number(value.value);
      if (content !== DW_LNCT_PATH) continue;
      if (value.kind === 'string') path = String(value.value);
      if (value.kind === 'str' || value.kind === 'lineStr') path = cString(strings[value.kind], value.value);
    }
    return { path, directory };
  });
}

function joined(folder: string | undefined, name: string): string {
  return folder === undefined || folder === '' || name.startsWith('/') ? name : `${folder}/${name}`;
}

// ---- the program

const EXTENDED = 0;
const COPY = 1;
const ADVANCE_PC = 2;
const ADVANCE_LINE = 3;
const SET_FILE = 4;
const NEGATE_STATEMENT = 6;
const CONST_ADD_PC = 8;
const FIXED_ADVANCE_PC = 9;
const END_SEQUENCE = 1;
const SET_ADDRESS = 2;

function* run(program: Program): Iterable<LineRow> {
  const { section, from, to, minInsnLength, lineBase, lineRange, opcodeBase, operandCounts } = program;
  const cursor = new DwarfCursor(section, from, to);
  let [address, file, line, isStatement] = [0, 1, 1, program.defaultIsStatement];
  const row = (ends = false): LineRow => ({ address, file, line, isStatement, ends });
  while (!cursor.done) {
    const opcode = cursor.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      address += Math.floor(adjusted / lineRange) * minInsnLength;
      line += lineBase + (adjusted % lineRange);
      yield row();
      continue;
    }
    switch (opcode) {
      case EXTENDED: {
        const length = cursor.uleb();
        const end = cursor.at + length;
        const kind = length === 0 ? 0 : cursor.u8();
        if (kind === SET_ADDRESS) address = cursor.uint(length - 1);
        if (kind === END_SEQUENCE) {
          yield row(true);
          [address, file, line, isStatement] = [0, 1, 1, program.defaultIsStatement];
        }
        cursor.at = end;
        break;
      }
      case COPY:
        yield row();
        break;
      case ADVANCE_PC:
        address += cursor.uleb() * minInsnLength;
        break;
      case ADVANCE_LINE:
        line += cursor.sleb();
        break;
      case SET_FILE:
        file = cursor.uleb();
        break;
      case NEGATE_STATEMENT:
        isStatement = !isStatement;
        break;
      case CONST_ADD_PC:
        address += Math.floor((255 - opcodeBase) / lineRange) * minInsnLength;
        break;
      case FIXED_ADVANCE_PC:
        address += cursor.u16();
        break;
      default:
        for (let i = 0; i < (operandCounts[opcode] ?? 0); i++) cursor.uleb();
    }
  }
}
