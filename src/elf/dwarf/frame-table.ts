/**
 * Call frame information: how to find the caller's registers at any instruction. `.eh_frame` (LSB, "Exception Frames") and `.debug_frame` (DWARF 5, 6.4).
 */
import { type ElfFile, withinBounds } from '../elf-file.js';
import { DwarfCursor } from './cursor.js';

/** Where a register of the caller is. Registers by DWARF number (System V ABI, figure 3.36; 16: the return address). */
export type RegisterRule =
  | { readonly kind: 'undefined' | 'same' }
  /** At CFA + offset; `value`: is that sum. */
  | { readonly kind: 'offset' | 'value'; readonly offset: number }
  | { readonly kind: 'register'; readonly register: number }
  /** At the address that the expression yields; `valueExpression`: is what it yields. */
  | { readonly kind: 'expression' | 'valueExpression'; readonly expression: Uint8Array };

export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: number }
  | { readonly kind: 'expression'; readonly expression: Uint8Array };

/** The rules at one instruction. */
export interface FrameRules {
  readonly cfa: CfaRule;
  readonly registers: ReadonlyMap<number, RegisterRule>;
  readonly returnAddress: number;
  /** A signal frame: its return address is no address behind a call. */
  readonly isSignal: boolean;
}

interface Cie {
  readonly codeAlign: number;
  readonly dataAlign: number;
  readonly returnAddress: number;
  readonly pointerEncoding: number;
  readonly hasAugmentation: boolean;
  readonly isSignal: boolean;
  readonly from: number;
  readonly to: number;
}

interface Fde {
  readonly cie: Cie;
  readonly low: number;
  readonly high: number;
  readonly from: number;
  readonly to: number;
}

const PE = { OMIT: 0xff, FORMAT: 0x0f, APPLICATION: 0x70, PCREL: 0x10, INDIRECT: 0x80, ALIGNED: 0x50 } as const;

export class FrameTable {
  private constructor(
    private readonly section: Uint8Array,
    private readonly entries: readonly Fde[],
  ) {}

  static read(elf: ElfFile, name: '.eh_frame' | '.debug_frame'): FrameTable {
    const section = elf.contentsOf(name);
    const reader = new Reader(section, elf.section(name)?.address ?? 0, name === '.eh_frame');
    return new FrameTable(
      section,
      reader.entries().sort((a, b) => a.low - b.low),
    );
  }

  get empty(): boolean {
    return this.entries.length === 0;
  }

  /** undefined: the table does not describe the code at the address (as linked). */
  rules(address: number): FrameRules | undefined {
    const entry = this.find(address);
    return entry && withinBounds(() => rulesAt(this.section, entry, address));
  }

  private find(address: number): Fde | undefined {
    const { entries } = this;
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entries[middle] as Fde).low <= address) low = middle + 1;
      else high = middle;
    }
    const found = entries[low - 1];
    return found !== undefined && address < found.high ? found : undefined;
  }
}

class Reader {
  private readonly cies = new Map<number, Cie>();

  constructor(
    private readonly section: Uint8Array,
    private readonly address: number,
    private readonly isEh: boolean,
  ) {}

  entries(): Fde[] {
    const found: Fde[] = [];
    withinBounds(() => {
      for (let at = 0; at + 4 <= this.section.length; ) {
        const cursor = new DwarfCursor(this.section, at);
        const { length, offsetSize } = cursor.initialLength();
        // Parts of .eh_frame that were linked together may each end with a zero.
        if (length > 0) {
          const end = cursor.at + length;
          const entry = withinBounds(() => this.fde(new DwarfCursor(this.section, cursor.at, end), offsetSize));
          if (entry !== undefined) found.push(entry);
          at = end;
        } else at = cursor.at;
      }
    });
    return found;
  }

  private fde(cursor: DwarfCursor, offsetSize: 4 | 8): Fde | undefined {
    const idAt = cursor.at;
    const id = this.isEh ? cursor.u32() : cursor.uint(offsetSize);
    const isCie = this.isEh ? id === 0 : id >= 0xffff_ffff;
    if (isCie) return undefined;
    const cie = this.cie(this.isEh ? idAt - id : id);
    if (cie === undefined) return undefined;
    const low = this.pointer(cursor, cie.pointerEncoding);
    // A length has the format of the pointer, but is relative to nothing.
    const length = this.pointer(cursor, cie.pointerEncoding & PE.FORMAT);
    if (cie.hasAugmentation) cursor.skip(cursor.uleb());
    return { cie, low, high: low + length, from: cursor.at, to: cursor.end };
  }

  private cie(at: number): Cie | undefined {
    const known = this.cies.get(at);
    if (known !== undefined) return known;
    const start = new DwarfCursor(this.section, at);
    const { length, offsetSize } = start.initialLength();
    const cie = this.readCie(new DwarfCursor(this.section, start.at, start.at + length), offsetSize);
    if (cie !== undefined) this.cies.set(at, cie);
    return cie;
  }

  private readCie(cursor: DwarfCursor, offsetSize: 4 | 8): Cie | undefined {
    cursor.skip(this.isEh ? 4 : offsetSize);
    const version = cursor.u8();
    const augmentation = cursor.string();
    if (version === 4) cursor.skip(2); // sizes of addresses and segments
    const codeAlign = cursor.uleb();
    const dataAlign = cursor.sleb();
    const returnAddress = version === 1 ? cursor.u8() : cursor.uleb();
    let pointerEncoding = 0;
    let isSignal = false;
    const hasAugmentation = augmentation.startsWith('z');
    if (hasAugmentation) {
      const end = cursor.uleb() + cursor.at;
      for (const letter of augmentation.slice(1)) {
        if (letter === 'R') pointerEncoding = cursor.u8();
        else if (letter === 'S') isSignal = true;
        else if (letter === 'L') cursor.u8();
        else if (letter === 'P') this.pointer(cursor, cursor.u8());
        else if (letter !== 'B') break;
      }
      cursor.at = end;
    } else if (augmentation !== '') return undefined;
    return {
      codeAlign,
      dataAlign,
      returnAddress,
      pointerEncoding,
      hasAugmentation,
      isSignal,
      from: cursor.at,
      to: cursor.end,
    };
  }

  /** An encoded pointer. What is relative to anything but its own place does not occur on x86-64. */
  private pointer(cursor: DwarfCursor, encoding: number): number {
    if (encoding === PE.OMIT) return 0;
    const place = this.address + cursor.at;
    const value = plainPointer(cursor, encoding & PE.FORMAT);
    return (encoding & PE.APPLICATION) === PE.PCREL ? place + value : value;
  }
}

function plainPointer(cursor: DwarfCursor, format: number): number {
  switch (format) {
    case 0x01:
      return cursor.uleb();
    case 0x02:
      return cursor.u16();
    case 0x03:
      return cursor.u32();
    case 0x09:
      return cursor.sleb();
    case 0x0a:
      return cursor.s16();
    case 0x0b:
      return cursor.s32();
    case 0x0c:
      return cursor.s64();
    default:
      return cursor.u64();
  }
}

// ---- the instructions of an entry

interface Row {
  cfa: CfaRule | undefined;
  registers: Map<number, RegisterRule>;
}

function rulesAt(section: Uint8Array, { cie, low, from, to }: Fde, address: number): FrameRules | undefined {
  const row: Row = { cfa: undefined, registers: new Map() };
  execute(new DwarfCursor(section, cie.from, cie.to), cie, row, undefined, Number.NEGATIVE_INFINITY, 0);
  const initial = new Map(row.registers);
  execute(new DwarfCursor(section, from, to), cie, row, initial, low, address);
  const { cfa, registers } = row;
  return cfa && { cfa, registers, returnAddress: cie.returnAddress, isSignal: cie.isSignal };
}

/** Runs the instructions that concern code up to `address`. */
function execute(
  cursor: DwarfCursor,
  cie: Cie,
  row: Row,
  initial: ReadonlyMap<number, RegisterRule> | undefined,
  from: number,
  address: number,
): void {
  const { codeAlign, dataAlign } = cie;
  const saved: Row[] = [];
  let location = from;
  const block = (): Uint8Array => {
    const length = cursor.uleb();
    cursor.skip(length);
    return cursor.bytes.subarray(cursor.at - length, cursor.at);
  };
  const set = (register: number, rule: RegisterRule): void => {
    row.registers.set(register, rule);
  };
  const restore = (register: number): void => {
    const rule = initial?.get(register);
    if (rule === undefined) row.registers.delete(register);
    else row.registers.set(register, rule);
  };
  const cfaRegister = (): number => (row.cfa?.kind === 'register' ? row.cfa.register : 7);
  const cfaOffset = (): number => (row.cfa?.kind === 'register' ? row.cfa.offset : 0);
  while (!cursor.done) {
    const opcode = cursor.u8();
    const low6 = opcode & 0x3f;
    if (opcode >= 0xc0) restore(low6);
    else if (opcode >= 0x80) set(low6, { kind: 'offset', offset: cursor.uleb() * dataAlign });
    else if (opcode >= 0x40) {
      location += low6 * codeAlign;
      if (location > address) return;
    } else {
      switch (opcode) {
        case 0x00: // nop
          break;
        case 0x01: // set_loc: only compilers for other machines use it
          return;
        case 0x02: // advance_loc1
        case 0x03:
        case 0x04:
          location += cursor.uint(2 ** (opcode - 2)) * codeAlign;
          if (location > address) return;
          break;
        case 0x05: // offset_extended
          set(cursor.uleb(), { kind: 'offset', offset: cursor.uleb() * dataAlign });
          break;
        case 0x06: // restore_extended
          restore(cursor.uleb());
          break;
        case 0x07:
          set(cursor.uleb(), { kind: 'undefined' });
          break;
        case 0x08:
          set(cursor.uleb(), { kind: 'same' });
          break;
        case 0x09:
          set(cursor.uleb(), { kind: 'register', register: cursor.uleb() });
          break;
        case 0x0a: // remember_state
          saved.push({ cfa: row.cfa, registers: new Map(row.registers) });
          break;
        case 0x0b: {
          const last = saved.pop();
          if (last !== undefined) [row.cfa, row.registers] = [last.cfa, last.registers];
          break;
        }
        case 0x0c: // def_cfa
          row.cfa = { kind: 'register', register: cursor.uleb(), offset: cursor.uleb() };
          break;
        case 0x0d: // def_cfa_register
          row.cfa = { kind: 'register', register: cursor.uleb(), offset: cfaOffset() };
          break;
        case 0x0e: // def_cfa_offset
          row.cfa = { kind: 'register', register: cfaRegister(), offset: cursor.uleb() };
          break;
        case 0x0f:
          row.cfa = { kind: 'expression', expression: block() };
          break;
        case 0x10:
          set(cursor.uleb(), { kind: 'expression', expression: block() });
          break;
        case 0x11: // offset_extended_sf
          set(cursor.uleb(), { kind: 'offset', offset: cursor.sleb() * dataAlign });
          break;
        case 0x12: // def_cfa_sf
          row.cfa = { kind: 'register', register: cursor.uleb(), offset: cursor.sleb() * dataAlign };
          break;
        case 0x13:
          row.cfa = { kind: 'register', register: cfaRegister(), offset: cursor.sleb() * dataAlign };
          break;
        case 0x14: // val_offset
          set(cursor.uleb(), { kind: 'value', offset: cursor.uleb() * dataAlign });
          break;
        case 0x15:
          set(cursor.uleb(), { kind: 'value', offset: cursor.sleb() * dataAlign });
          break;
        case 0x16:
          set(cursor.uleb(), { kind: 'valueExpression', expression: block() });
          break;
        case 0x2e: // GNU_args_size
          cursor.uleb();
          break;
        default:
          throw new RangeError(`unknown frame instruction 0x${opcode.toString(16)}`);
      }
    }
  }
}
