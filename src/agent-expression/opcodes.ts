/**
 * The agent-expression bytecodes, one row each (gdb manual, appendix "The GDB Agent Expression Mechanism", and its
 * gdbsupport/ax.def). Numbers above one byte are big-endian. Not here, hence invalid: 0x01 `float`, 0x1b..0x1f (the float
 * conversions, which gdb never generates) and 0x31.
 */

/** What follows the opcode byte. `printf`: u8 number of arguments, u16 length, that many bytes of format with its NUL. */
type OperandKind = 'none' | 'u8' | 'u16' | 'u32' | 'u64' | 'printf';

/** In bytes. */
export const OPERAND_SIZE: Record<Exclude<OperandKind, 'printf'>, number> = { none: 0, u8: 1, u16: 2, u32: 4, u64: 8 };

interface OpcodeShape {
  readonly code: number;
  readonly name: string;
  readonly operand: OperandKind;
  /** Stack items that must be there, and how many are there in their place afterwards. */
  readonly pops: number;
  readonly pushes: number;
}

function op<const Name extends string>(
  code: number,
  name: Name,
  pops: number,
  pushes: number,
  operand: OperandKind = 'none',
): OpcodeShape & { readonly name: Name } {
  return { code, name, operand, pops, pushes };
}

/** `pick` and `printf` reach deeper than their rows say: program.ts looks at their operands. */
const OPCODES = [
  op(0x02, 'add', 2, 1),
  op(0x03, 'sub', 2, 1),
  op(0x04, 'mul', 2, 1),
  op(0x05, 'div_signed', 2, 1),
  op(0x06, 'div_unsigned', 2, 1),
  op(0x07, 'rem_signed', 2, 1),
  op(0x08, 'rem_unsigned', 2, 1),
  op(0x09, 'lsh', 2, 1),
  op(0x0a, 'rsh_signed', 2, 1),
  op(0x0b, 'rsh_unsigned', 2, 1),
  op(0x0c, 'trace', 2, 0),
  op(0x0d, 'trace_quick', 1, 1, 'u8'),
  op(0x0e, 'log_not', 1, 1),
  op(0x0f, 'bit_and', 2, 1),
  op(0x10, 'bit_or', 2, 1),
  op(0x11, 'bit_xor', 2, 1),
  op(0x12, 'bit_not', 1, 1),
  op(0x13, 'equal', 2, 1),
  op(0x14, 'less_signed', 2, 1),
  op(0x15, 'less_unsigned', 2, 1),
  op(0x16, 'ext', 1, 1, 'u8'),
  op(0x17, 'ref8', 1, 1),
  op(0x18, 'ref16', 1, 1),
  op(0x19, 'ref32', 1, 1),
  op(0x1a, 'ref64', 1, 1),
  op(0x20, 'if_goto', 1, 0, 'u16'),
  op(0x21, 'goto', 0, 0, 'u16'),
  op(0x22, 'const8', 0, 1, 'u8'),
  op(0x23, 'const16', 0, 1, 'u16'),
  op(0x24, 'const32', 0, 1, 'u32'),
  op(0x25, 'const64', 0, 1, 'u64'),
  op(0x26, 'reg', 0, 1, 'u16'),
  op(0x27, 'end', 0, 0),
  op(0x28, 'dup', 1, 2),
  op(0x29, 'pop', 1, 0),
  op(0x2a, 'zero_ext', 1, 1, 'u8'),
  op(0x2b, 'swap', 2, 2),
  op(0x2c, 'getv', 0, 1, 'u16'),
  op(0x2d, 'setv', 1, 1, 'u16'),
  op(0x2e, 'tracev', 0, 0, 'u16'),
  op(0x2f, 'tracenz', 2, 0),
  op(0x30, 'trace16', 1, 1, 'u16'),
  op(0x32, 'pick', 0, 1, 'u8'),
  op(0x33, 'rot', 3, 3),
  op(0x34, 'printf', 2, 0, 'printf'),
] as const;

export type Opcode = (typeof OPCODES)[number];
export type OpName = Opcode['name'];

const byCode = new Map<number, Opcode>(OPCODES.map((row) => [row.code, row]));
const byName = new Map<OpName, Opcode>(OPCODES.map((row) => [row.name, row]));

export function opcodeFor(code: number): Opcode | undefined {
  return byCode.get(code);
}

export function opcodeNamed(name: OpName): Opcode {
  const row = byName.get(name);
  if (row === undefined) throw new Error(`no opcode ${name}`);
  return row;
}
