/**
 * The IR ops, one row each. From this table come the interpreter (operands are slots in linear memory) and the code generator (operands
 * are wasm locals), so an op's meaning is written once: the WebAssembly that computes it.
 *
 * Values are typed like WebAssembly's. An integer operand of 8, 16 or 32 bits is an i32, zero-extended; 64 bits are an i64.
 */
import type { WasmType } from '../wasm/function-writer.js';

export type OpKind =
  /** A function of its operands: the opcode bytes do it. */
  | 'pure'
  /** A constant: the immediate. */
  | 'const'
  /** Reads or writes a slot of the CPU struct: the immediate is its offset. */
  | 'get'
  | 'set'
  /** Guest memory through the TLB; leaves with EXIT.MISS when it cannot. */
  | 'load'
  | 'store'
  | 'probe'
  /** Ends the instruction or the block: see the rows. */
  | 'control';

export interface OpRow {
  readonly name: string;
  readonly kind: OpKind;
  readonly params: readonly WasmType[];
  readonly result: WasmType | undefined;
  /** The WebAssembly instruction (for get/set: the load or store from the CPU struct; for memory: from the physical address). */
  readonly code: readonly number[];
  /** Bytes accessed, for memory ops and slots. */
  readonly size: number;
  /** Memory ops: looks in the write TLB (a load that a store to the same place follows, or a store). */
  readonly forWrite: boolean;
  /** Has a second interpreter opcode whose last operand is an immediate. */
  readonly immediateForm: boolean;
  /** Opcode in the interpreter's code. */
  readonly number: number;
}

const LETTER: Record<string, WasmType> = { i: 'i32', l: 'i64', f: 'f32', d: 'f64', v: 'v128' };

function types(letters: string): WasmType[] {
  return [...letters].map((letter) => LETTER[letter] as WasmType);
}

/** A SIMD opcode: prefix and LEB128. */
function simd(opcode: number): number[] {
  return opcode < 0x80 ? [0xfd, opcode] : [0xfd, (opcode & 0x7f) | 0x80, opcode >> 7];
}

type RowWithoutNumber = Omit<OpRow, 'number'>;

/** `signature`: operand letters, `>`, result letter. */
function pure(name: string, signature: string, code: readonly number[], immediateForm = false): RowWithoutNumber {
  const [params, result] = signature.split('>');
  return {
    name,
    kind: 'pure',
    params: types(params as string),
    result: types(result as string)[0],
    code,
    size: 0,
    forWrite: false,
    immediateForm,
  };
}

/** The same operation on i32 and i64, whose opcodes differ by a constant. */
function integer(
  name: string,
  signature: string,
  code32: number,
  code64: number,
  immediate = false,
): RowWithoutNumber[] {
  return [
    pure(`i32.${name}`, signature.replaceAll('x', 'i'), [code32], immediate),
    pure(`i64.${name}`, signature.replaceAll('x', 'l'), [code64], immediate),
  ];
}

const integers: RowWithoutNumber[] = [
  integer('eqz', 'x>i', 0x45, 0x50),
  integer('eq', 'xx>i', 0x46, 0x51, true),
  integer('ne', 'xx>i', 0x47, 0x52, true),
  integer('lt_s', 'xx>i', 0x48, 0x53, true),
  integer('lt_u', 'xx>i', 0x49, 0x54, true),
  integer('gt_s', 'xx>i', 0x4a, 0x55, true),
  integer('gt_u', 'xx>i', 0x4b, 0x56, true),
  integer('le_s', 'xx>i', 0x4c, 0x57, true),
  integer('le_u', 'xx>i', 0x4d, 0x58, true),
  integer('ge_s', 'xx>i', 0x4e, 0x59, true),
  integer('ge_u', 'xx>i', 0x4f, 0x5a, true),
  integer('clz', 'x>x', 0x67, 0x79),
  integer('ctz', 'x>x', 0x68, 0x7a),
  integer('popcnt', 'x>x', 0x69, 0x7b),
  integer('add', 'xx>x', 0x6a, 0x7c, true),
  integer('sub', 'xx>x', 0x6b, 0x7d, true),
  integer('mul', 'xx>x', 0x6c, 0x7e, true),
  // Division is guarded by the lifter: a wasm trap would be a bug of ours.
  integer('div_s', 'xx>x', 0x6d, 0x7f),
  integer('div_u', 'xx>x', 0x6e, 0x80),
  integer('rem_s', 'xx>x', 0x6f, 0x81),
  integer('rem_u', 'xx>x', 0x70, 0x82),
  integer('and', 'xx>x', 0x71, 0x83, true),
  integer('or', 'xx>x', 0x72, 0x84, true),
  integer('xor', 'xx>x', 0x73, 0x85, true),
  integer('shl', 'xx>x', 0x74, 0x86, true),
  integer('shr_s', 'xx>x', 0x75, 0x87, true),
  integer('shr_u', 'xx>x', 0x76, 0x88, true),
  integer('rotl', 'xx>x', 0x77, 0x89, true),
  integer('rotr', 'xx>x', 0x78, 0x8a, true),
  integer('extend8_s', 'x>x', 0xc0, 0xc2),
  integer('extend16_s', 'x>x', 0xc1, 0xc3),
].flat();

const conversions: RowWithoutNumber[] = [
  pure('i64.extend32_s', 'l>l', [0xc4]),
  pure('i32.wrap', 'l>i', [0xa7]),
  pure('i64.extend_s', 'i>l', [0xac]),
  pure('i64.extend_u', 'i>l', [0xad]),
  pure('f32.convert_i32_s', 'i>f', [0xb2]),
  pure('f32.convert_i64_s', 'l>f', [0xb4]),
  pure('f32.demote', 'd>f', [0xb6]),
  pure('f64.convert_i32_s', 'i>d', [0xb7]),
  pure('f64.convert_i32_u', 'i>d', [0xb8]),
  pure('f64.convert_i64_s', 'l>d', [0xb9]),
  pure('f64.convert_i64_u', 'l>d', [0xba]),
  pure('f64.promote', 'f>d', [0xbb]),
  pure('i32.reinterpret_f32', 'f>i', [0xbc]),
  pure('i64.reinterpret_f64', 'd>l', [0xbd]),
  pure('f32.reinterpret_i32', 'i>f', [0xbe]),
  pure('f64.reinterpret_i64', 'l>d', [0xbf]),
  pure('i32.trunc_sat_f64_s', 'd>i', [0xfc, 2]),
  pure('i64.trunc_sat_f64_s', 'd>l', [0xfc, 6]),
  pure('i32.trunc_sat_f32_s', 'f>i', [0xfc, 0]),
  pure('i64.trunc_sat_f32_s', 'f>l', [0xfc, 4]),
];

const floats: RowWithoutNumber[] = (
  [
    ['eq', 'xx>i', 0x5b, 0x61],
    ['ne', 'xx>i', 0x5c, 0x62],
    ['lt', 'xx>i', 0x5d, 0x63],
    ['gt', 'xx>i', 0x5e, 0x64],
    ['le', 'xx>i', 0x5f, 0x65],
    ['ge', 'xx>i', 0x60, 0x66],
    ['abs', 'x>x', 0x8b, 0x99],
    ['neg', 'x>x', 0x8c, 0x9a],
    ['ceil', 'x>x', 0x8d, 0x9b],
    ['floor', 'x>x', 0x8e, 0x9c],
    ['trunc', 'x>x', 0x8f, 0x9d],
    ['nearest', 'x>x', 0x90, 0x9e],
    ['sqrt', 'x>x', 0x91, 0x9f],
    ['add', 'xx>x', 0x92, 0xa0],
    ['sub', 'xx>x', 0x93, 0xa1],
    ['mul', 'xx>x', 0x94, 0xa2],
    ['div', 'xx>x', 0x95, 0xa3],
  ] as const
).flatMap(([name, signature, code32, code64]) => [
  pure(`f32.${name}`, signature.replaceAll('x', 'f'), [code32]),
  pure(`f64.${name}`, signature.replaceAll('x', 'd'), [code64]),
]);

/** Lane accesses: one row a lane, since the lane is part of the WebAssembly instruction. */
function lanes(
  shape: string,
  count: number,
  letter: string,
  extract: number,
  replace: number,
  suffix = '',
): RowWithoutNumber[] {
  return Array.from({ length: count }, (_, lane) => [
    pure(`${shape}.extract_lane${suffix}.${lane}`, `v>${letter}`, [...simd(extract), lane]),
    ...(replace === 0 ? [] : [pure(`${shape}.replace_lane.${lane}`, `v${letter}>v`, [...simd(replace), lane])]),
  ]).flat();
}

const VV = 'vv>v';
const V = 'v>v';
const SHIFT = 'vi>v';

const vectors: RowWithoutNumber[] = [
  ...lanes('i8x16', 16, 'i', 0x16, 0x17, '_u'),
  ...lanes('i16x8', 8, 'i', 0x19, 0x1a, '_u'),
  ...lanes('i32x4', 4, 'i', 0x1b, 0x1c),
  ...lanes('i64x2', 2, 'l', 0x1d, 0x1e),
  ...lanes('f32x4', 4, 'f', 0x1f, 0x20),
  ...lanes('f64x2', 2, 'd', 0x21, 0x22),
  pure('i8x16.swizzle', VV, simd(0x0e)),
  pure('i8x16.splat', 'i>v', simd(0x0f)),
  pure('i16x8.splat', 'i>v', simd(0x10)),
  pure('i32x4.splat', 'i>v', simd(0x11)),
  pure('i64x2.splat', 'l>v', simd(0x12)),
  pure('f32x4.splat', 'f>v', simd(0x13)),
  pure('f64x2.splat', 'd>v', simd(0x14)),
  ...['i8x16', 'i16x8', 'i32x4'].flatMap((shape, i) =>
    ['eq', 'ne', 'lt_s', 'lt_u', 'gt_s', 'gt_u', 'le_s', 'le_u', 'ge_s', 'ge_u'].map((name, j) =>
      pure(`${shape}.${name}`, VV, simd(0x23 + 10 * i + j)),
    ),
  ),
  ...['f32x4', 'f64x2'].flatMap((shape, i) =>
    ['eq', 'ne', 'lt', 'gt', 'le', 'ge'].map((name, j) => pure(`${shape}.${name}`, VV, simd(0x41 + 6 * i + j))),
  ),
  ...['eq', 'ne', 'lt_s', 'gt_s', 'le_s', 'ge_s'].map((name, j) => pure(`i64x2.${name}`, VV, simd(0xd6 + j))),
  pure('v128.not', V, simd(0x4d)),
  pure('v128.and', VV, simd(0x4e)),
  pure('v128.andnot', VV, simd(0x4f)),
  pure('v128.or', VV, simd(0x50)),
  pure('v128.xor', VV, simd(0x51)),
  pure('v128.bitselect', 'vvv>v', simd(0x52)),
  pure('v128.any_true', 'v>i', simd(0x53)),
  pure('f32x4.demote_f64x2_zero', V, simd(0x5e)),
  pure('f64x2.promote_low_f32x4', V, simd(0x5f)),
  pure('i8x16.abs', V, simd(0x60)),
  pure('i8x16.popcnt', V, simd(0x62)),
  pure('i8x16.all_true', 'v>i', simd(0x63)),
  pure('i8x16.bitmask', 'v>i', simd(0x64)),
  pure('i8x16.narrow_i16x8_s', VV, simd(0x65)),
  pure('i8x16.narrow_i16x8_u', VV, simd(0x66)),
  pure('i8x16.shl', SHIFT, simd(0x6b)),
  pure('i8x16.shr_s', SHIFT, simd(0x6c)),
  pure('i8x16.shr_u', SHIFT, simd(0x6d)),
  pure('i8x16.add', VV, simd(0x6e)),
  pure('i8x16.add_sat_s', VV, simd(0x6f)),
  pure('i8x16.add_sat_u', VV, simd(0x70)),
  pure('i8x16.sub', VV, simd(0x71)),
  pure('i8x16.sub_sat_s', VV, simd(0x72)),
  pure('i8x16.sub_sat_u', VV, simd(0x73)),
  pure('i8x16.min_s', VV, simd(0x76)),
  pure('i8x16.min_u', VV, simd(0x77)),
  pure('i8x16.max_s', VV, simd(0x78)),
  pure('i8x16.max_u', VV, simd(0x79)),
  pure('i8x16.avgr_u', VV, simd(0x7b)),
  pure('i16x8.extadd_pairwise_i8x16_s', V, simd(0x7c)),
  pure('i16x8.extadd_pairwise_i8x16_u', V, simd(0x7d)),
  pure('i32x4.extadd_pairwise_i16x8_s', V, simd(0x7e)),
  pure('i32x4.extadd_pairwise_i16x8_u', V, simd(0x7f)),
  pure('i16x8.abs', V, simd(0x80)),
  pure('i16x8.q15mulr_sat_s', VV, simd(0x82)),
  pure('i16x8.all_true', 'v>i', simd(0x83)),
  pure('i16x8.bitmask', 'v>i', simd(0x84)),
  pure('i16x8.narrow_i32x4_s', VV, simd(0x85)),
  pure('i16x8.narrow_i32x4_u', VV, simd(0x86)),
  pure('i16x8.extend_low_i8x16_s', V, simd(0x87)),
  pure('i16x8.extend_high_i8x16_s', V, simd(0x88)),
  pure('i16x8.extend_low_i8x16_u', V, simd(0x89)),
  pure('i16x8.extend_high_i8x16_u', V, simd(0x8a)),
  pure('i16x8.shl', SHIFT, simd(0x8b)),
  pure('i16x8.shr_s', SHIFT, simd(0x8c)),
  pure('i16x8.shr_u', SHIFT, simd(0x8d)),
  pure('i16x8.add', VV, simd(0x8e)),
  pure('i16x8.add_sat_s', VV, simd(0x8f)),
  pure('i16x8.add_sat_u', VV, simd(0x90)),
  pure('i16x8.sub', VV, simd(0x91)),
  pure('i16x8.sub_sat_s', VV, simd(0x92)),
  pure('i16x8.sub_sat_u', VV, simd(0x93)),
  pure('i16x8.mul', VV, simd(0x95)),
  pure('i16x8.min_s', VV, simd(0x96)),
  pure('i16x8.min_u', VV, simd(0x97)),
  pure('i16x8.max_s', VV, simd(0x98)),
  pure('i16x8.max_u', VV, simd(0x99)),
  pure('i16x8.avgr_u', VV, simd(0x9b)),
  pure('i32x4.abs', V, simd(0xa0)),
  pure('i32x4.all_true', 'v>i', simd(0xa3)),
  pure('i32x4.bitmask', 'v>i', simd(0xa4)),
  pure('i32x4.extend_low_i16x8_s', V, simd(0xa7)),
  pure('i32x4.extend_high_i16x8_s', V, simd(0xa8)),
  pure('i32x4.extend_low_i16x8_u', V, simd(0xa9)),
  pure('i32x4.extend_high_i16x8_u', V, simd(0xaa)),
  pure('i32x4.shl', SHIFT, simd(0xab)),
  pure('i32x4.shr_s', SHIFT, simd(0xac)),
  pure('i32x4.shr_u', SHIFT, simd(0xad)),
  pure('i32x4.add', VV, simd(0xae)),
  pure('i32x4.sub', VV, simd(0xb1)),
  pure('i32x4.mul', VV, simd(0xb5)),
  pure('i32x4.min_s', VV, simd(0xb6)),
  pure('i32x4.min_u', VV, simd(0xb7)),
  pure('i32x4.max_s', VV, simd(0xb8)),
  pure('i32x4.max_u', VV, simd(0xb9)),
  pure('i32x4.dot_i16x8_s', VV, simd(0xba)),
  pure('i32x4.extmul_low_i16x8_s', VV, simd(0xbc)),
  pure('i32x4.extmul_high_i16x8_s', VV, simd(0xbd)),
  pure('i32x4.extmul_low_i16x8_u', VV, simd(0xbe)),
  pure('i32x4.extmul_high_i16x8_u', VV, simd(0xbf)),
  pure('i64x2.all_true', 'v>i', simd(0xc3)),
  pure('i64x2.bitmask', 'v>i', simd(0xc4)),
  pure('i64x2.extend_low_i32x4_s', V, simd(0xc7)),
  pure('i64x2.extend_high_i32x4_s', V, simd(0xc8)),
  pure('i64x2.extend_low_i32x4_u', V, simd(0xc9)),
  pure('i64x2.extend_high_i32x4_u', V, simd(0xca)),
  pure('i64x2.shl', SHIFT, simd(0xcb)),
  pure('i64x2.shr_s', SHIFT, simd(0xcc)),
  pure('i64x2.shr_u', SHIFT, simd(0xcd)),
  pure('i64x2.add', VV, simd(0xce)),
  pure('i64x2.sub', VV, simd(0xd1)),
  pure('i64x2.mul', VV, simd(0xd5)),
  pure('i64x2.extmul_low_i32x4_s', VV, simd(0xdc)),
  pure('i64x2.extmul_low_i32x4_u', VV, simd(0xde)),
  ...['f32x4', 'f64x2'].flatMap((shape, i) =>
    (
      [
        ['abs', V, 0xe0],
        ['neg', V, 0xe1],
        ['sqrt', V, 0xe3],
        ['add', VV, 0xe4],
        ['sub', VV, 0xe5],
        ['mul', VV, 0xe6],
        ['div', VV, 0xe7],
      ] as const
    ).map(([name, signature, code]) => pure(`${shape}.${name}`, signature, simd(code + 12 * i))),
  ),
  ...[
    ['f32x4', 0x67, 0x68, 0x69, 0x6a],
    ['f64x2', 0x74, 0x75, 0x7a, 0x94],
  ].flatMap(([shape, ...codes]) =>
    ['ceil', 'floor', 'trunc', 'nearest'].map((name, i) => pure(`${shape}.${name}`, V, simd(codes[i] as number))),
  ),
  pure('i32x4.trunc_sat_f32x4_s', V, simd(0xf8)),
  pure('f32x4.convert_i32x4_s', V, simd(0xfa)),
  pure('i32x4.trunc_sat_f64x2_s_zero', V, simd(0xfc)),
  pure('f64x2.convert_low_i32x4_s', V, simd(0xfe)),
];

/** Conditional choice: second operand when the third (i32) is not zero. */
const selects: RowWithoutNumber[] = [
  pure('i32.select', 'iii>i', [0x1b]),
  pure('i64.select', 'lli>l', [0x1b]),
  pure('f32.select', 'ffi>f', [0x1b]),
  pure('f64.select', 'ddi>d', [0x1b]),
  pure('v128.select', 'vvi>v', [0x1b]),
];

function row(name: string, kind: OpKind, signature: string, more: Partial<OpRow> = {}): RowWithoutNumber {
  const [params, result] = signature.split('>') as [string, string?];
  const results = result ? types(result) : [];
  return {
    ...{
      name,
      kind,
      params: types(params),
      result: results[0],
      code: [],
      size: 0,
      forWrite: false,
      immediateForm: false,
    },
    ...more,
  };
}

const constants: RowWithoutNumber[] = [
  row('i32.const', 'const', '>i'),
  row('i64.const', 'const', '>l'),
  row('v128.const', 'const', '>v'),
  /** Bytes of two vectors by a constant list of 16 indices. */
  row('i8x16.shuffle', 'pure', 'vv>v', { code: simd(0x0d) }),
];

/** Slots of the CPU struct. A narrow `get` extends with zeros, `set32` to an integer register writes 64 bits (see the lifter). */
const slots: RowWithoutNumber[] = [
  row('get8', 'get', '>i', { code: [0x2d], size: 1 }),
  row('get16', 'get', '>i', { code: [0x2f], size: 2 }),
  row('get32', 'get', '>i', { code: [0x28], size: 4 }),
  row('get64', 'get', '>l', { code: [0x29], size: 8 }),
  row('getv', 'get', '>v', { code: simd(0x00), size: 16 }),
  row('set8', 'set', 'i>', { code: [0x3a], size: 1 }),
  row('set16', 'set', 'i>', { code: [0x3b], size: 2 }),
  row('set32', 'set', 'i>', { code: [0x36], size: 4 }),
  row('set64', 'set', 'l>', { code: [0x37], size: 8 }),
  row('setv', 'set', 'v>', { code: simd(0x0b), size: 16 }),
];

const LOADS = [
  ['load8', '>i', [0x2d], 1],
  ['load16', '>i', [0x2f], 2],
  ['load32', '>i', [0x28], 4],
  ['load64', '>l', [0x29], 8],
  ['loadv', '>v', simd(0x00), 16],
] as const;

const memory: RowWithoutNumber[] = [
  ...LOADS.flatMap(([name, result, code, size]) => [
    row(name, 'load', `l${result}`, { code, size }),
    row(`${name}.rmw`, 'load', `l${result}`, { code, size, forWrite: true }),
  ]),
  row('store8', 'store', 'li>', { code: [0x3a], size: 1, forWrite: true }),
  row('store16', 'store', 'li>', { code: [0x3b], size: 2, forWrite: true }),
  row('store32', 'store', 'li>', { code: [0x36], size: 4, forWrite: true }),
  row('store64', 'store', 'll>', { code: [0x37], size: 8, forWrite: true }),
  row('storev', 'store', 'lv>', { code: simd(0x0b), size: 16, forWrite: true }),
  /** Leaves with EXIT.MISS unless `imm` bytes at the address can be read (written): before the first store of an instruction with several. */
  row('probe.read', 'probe', 'l>'),
  row('probe.write', 'probe', 'l>', { forWrite: true }),
];

const control: RowWithoutNumber[] = [
  /** Records the lazy flags: imm = kind, operands a, b, result. */
  row('flags32', 'control', 'iii>'),
  row('flags64', 'control', 'lll>'),
  /** Retired instructions that this run may still make, this block's deducted. */
  row('fuel', 'control', '>i'),
  /** Retires that many instructions more (a bulk REP did them). */
  row('burn', 'control', 'i>'),
  /** If the operand is not zero: EXIT.FAULT with vector `imm`, nothing of the instruction done. */
  row('fault.if', 'control', 'i>'),
  /** If the operand is not zero: the instruction is complete, go on at `imm`. */
  row('leave.if', 'control', 'i>'),
  /** Ends of a block. `jump`, `call`: imm = target; `jump.to`, `call.to`, `ret`: operand = target. */
  row('jump', 'control', '>'),
  row('call', 'control', '>'),
  row('jump.to', 'control', 'l>'),
  row('call.to', 'control', 'l>'),
  row('ret', 'control', 'l>'),
  /** imm = target when the operand is not zero; otherwise the next instruction. */
  row('branch', 'control', 'i>'),
  /** Leaves with EXIT kind `imm & 0xff` and EXIT_INFO `imm >> 8`, ip at this instruction. */
  row('exit', 'control', '>'),
  /** A call of a subroutine: imm = its index (subroutine.ts); its signature is the subroutine's. */
  row('sub', 'control', '>'),
];

export const OPS: readonly OpRow[] = [
  ...constants,
  ...integers,
  ...conversions,
  ...floats,
  ...selects,
  ...vectors,
  ...slots,
  ...memory,
  ...control,
].map((op, number) => ({ ...op, number }));

const byName = new Map(OPS.map((op) => [op.name, op]));

/** The row of an op that must exist. */
export function opNamed(name: string): OpRow {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`no IR op is named ${name}`);
  return found;
}
