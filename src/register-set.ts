/**
 * The x86-64 registers, one row each: the order of the rows within a feature is the order of `g`, of `p`'s numbers and of
 * target.xml (gdb's amd64-linux numbering, features org.gnu.gdb.i386.*), and `slot` is the place in the CPU struct
 * (emulator/cpu-state.ts), in bytes from its start. Rows without a slot are computed there.
 */

export type RegisterFeature = 'core' | 'sse' | 'linux' | 'segments' | 'avx';

export interface RegisterRow {
  readonly name: string;
  /** Number in `p`, in agent expressions and in expedited registers. */
  readonly number: number;
  readonly bits: 32 | 64 | 80 | 128;
  /** Type in target.xml. */
  readonly type: string;
  readonly group?: 'float' | 'vector' | 'system';
  readonly feature: RegisterFeature;
  /** Byte offset in the CPU struct of the plain storage, where there is one. */
  readonly slot?: number;
}

/** Byte offsets in the CPU struct of what the register file holds. The execution state beside it: emulator/cpu-state.ts. */
export const SLOT = {
  /** 16 general registers, 8 bytes each, in hardware order: rax rcx rdx rbx rsp rbp rsi rdi r8..r15. */
  GPR: 0,
  RIP: 128,
  FS_BASE: 136,
  GS_BASE: 144,
  /** Lazy flags: i32 kind, three i64 operands (emulator/x86/flags.ts says what each kind means). */
  CC_KIND: 152,
  CC_A: 160,
  CC_B: 168,
  CC_R: 176,
  /** i32: the flags that are not among CF PF AF ZF SF OF, DF excepted: TF, IF, AC, ID, always with bit 1 set. */
  FLAGS_REST: 184,
  /** i32: 1 when DF is set. */
  DF: 188,
  MXCSR: 192,
  /** i32 each: x87 control word, status word without TOP, TOP (0..7), tags (bit n: physical register n is in use), opcode. */
  FCW: 196,
  FSW: 200,
  FTOP: 204,
  FTAG: 208,
  FOP: 212,
  /** i64 each: x87 last instruction and data pointers. */
  FIP: 216,
  FDP: 224,
  /** i32 each: cs ss ds es fs gs. */
  SEG: 232,
  /** 16 vector registers, 32 bytes each: xmm in the low half, the upper half of ymm in the high half. */
  VECTOR: 256,
  /** 8 PHYSICAL x87 registers R0..R7, 16 bytes each: i64 significand (also MMX), then u16 sign and exponent. */
  X87: 768,
  ORIG_RAX: 896,
  /** First byte behind the register file. */
  END: 904,
} as const;

/** Hardware numbers of the general registers, as in ModRM. */
export const GPR = {
  RAX: 0, RCX: 1, RDX: 2, RBX: 3, RSP: 4, RBP: 5, RSI: 6, RDI: 7,
  R8: 8, R9: 9, R10: 10, R11: 11, R12: 12, R13: 13, R14: 14, R15: 15,
} as const; // biome-ignore format: a table

export const SEGMENTS = ['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const;

type RowWithoutNumber = Omit<RegisterRow, 'number'>;

const GDB_GPR_ORDER = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp'] as const;

function general(name: string, hardware: number): RowWithoutNumber {
  const type = name === 'rsp' || name === 'rbp' ? 'data_ptr' : 'int64';
  return { name, bits: 64, type, feature: 'core', slot: SLOT.GPR + 8 * hardware };
}

function core(): RowWithoutNumber[] {
  const x87Control = ['fctrl', 'fstat', 'ftag', 'fiseg', 'fioff', 'foseg', 'fooff', 'fop'];
  return [
    ...GDB_GPR_ORDER.map((name) => general(name, GPR[name.toUpperCase() as keyof typeof GPR])),
    ...Array.from({ length: 8 }, (_, i) => general(`r${8 + i}`, 8 + i)),
    { name: 'rip', bits: 64, type: 'code_ptr', feature: 'core', slot: SLOT.RIP },
    { name: 'eflags', bits: 32, type: 'i386_eflags', feature: 'core' },
    ...SEGMENTS.map((name, i): RowWithoutNumber => {
      return { name, bits: 32, type: 'int32', feature: 'core', slot: SLOT.SEG + 4 * i };
    }),
    ...Array.from({ length: 8 }, (_, i): RowWithoutNumber => {
      return { name: `st${i}`, bits: 80, type: 'i387_ext', feature: 'core' };
    }),
    ...x87Control.map((name): RowWithoutNumber => {
      return { name, bits: 32, type: 'int', group: 'float', feature: 'core' };
    }),
  ];
}

function sse(): RowWithoutNumber[] {
  return [
    ...Array.from({ length: 16 }, (_, i): RowWithoutNumber => {
      return { name: `xmm${i}`, bits: 128, type: 'vec128', feature: 'sse', slot: SLOT.VECTOR + 32 * i };
    }),
    { name: 'mxcsr', bits: 32, type: 'i386_mxcsr', group: 'vector', feature: 'sse', slot: SLOT.MXCSR },
  ];
}

function avx(): RowWithoutNumber[] {
  return Array.from({ length: 16 }, (_, i): RowWithoutNumber => {
    return { name: `ymm${i}h`, bits: 128, type: 'uint128', feature: 'avx', slot: SLOT.VECTOR + 32 * i + 16 };
  });
}

/** Every register, in gdb's order; a row's number is its index. */
export const REGISTERS: readonly RegisterRow[] = [
  ...core(),
  ...sse(),
  { name: 'orig_rax', bits: 64, type: 'int', group: 'system', feature: 'linux', slot: SLOT.ORIG_RAX } as const,
  { name: 'fs_base', bits: 64, type: 'int', feature: 'segments', slot: SLOT.FS_BASE } as const,
  { name: 'gs_base', bits: 64, type: 'int', feature: 'segments', slot: SLOT.GS_BASE } as const,
  ...avx(),
].map((row, number) => ({ ...row, number }));

/** The rows that a guest with these features has; features are cumulative and `avx` is the only optional one. */
export function registerSet(withAvx: boolean): readonly RegisterRow[] {
  return withAvx ? REGISTERS : REGISTERS.filter((row) => row.feature !== 'avx');
}

const byName = new Map(REGISTERS.map((row) => [row.name, row]));

/** The row of a register that must exist. */
export function registerNamed(name: string): RegisterRow {
  const row = byName.get(name);
  if (row === undefined) throw new Error(`no register is named ${name}`);
  return row;
}
