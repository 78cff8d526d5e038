/** Writes agent expressions, from the rows by which program.ts reads them. */
import { OPERAND_SIZE, type OpName, opcodeNamed } from './opcodes.js';
import { type AgentProgram, parseAgentExpression } from './program.js';

/** One instruction; of a jump `operand` is the byte offset to go to. */
export function op(name: Exclude<OpName, 'printf'>, operand: number | bigint = 0): readonly number[] {
  const row = opcodeNamed(name);
  if (row.operand === 'printf') throw new Error('printf is written by `print`');
  return [row.code, ...bigEndian(BigInt(operand), OPERAND_SIZE[row.operand])];
}

/** Pushes the low 64 bits of an integer. */
export function constant(value: bigint): readonly number[] {
  return op('const64', BigInt.asUintN(64, value));
}

/** Prints a format without arguments. */
export function print(format: string): readonly number[] {
  const text = [...new TextEncoder().encode(`${format}\0`)];
  const functionAndChannel = [...op('const8', 0), ...op('const8', 0)];
  return [...functionAndChannel, opcodeNamed('printf').code, 0, ...bigEndian(BigInt(text.length), 2), ...text];
}

/** What the pieces of code do, one after the other. Throws when that is no program. */
export function assemble(...code: readonly (readonly number[])[]): AgentProgram {
  const program = parse(code);
  if ('invalid' in program) throw new Error(program.invalid);
  return program;
}

/** undefined: it is no program, being too long or too deep. */
export function tryAssemble(...code: readonly (readonly number[])[]): AgentProgram | undefined {
  const program = parse(code);
  return 'invalid' in program ? undefined : program;
}

function parse(code: readonly (readonly number[])[]): ReturnType<typeof parseAgentExpression> {
  return parseAgentExpression(Uint8Array.from([...code.flat(), ...op('end')]));
}

function bigEndian(value: bigint, size: number): readonly number[] {
  if (BigInt.asUintN(8 * size, value) !== value) throw new Error(`operand ${value} does not fit into ${size} bytes`);
  return Array.from({ length: size }, (_, i) => Number((value >> BigInt(8 * (size - 1 - i))) & 0xffn));
}
