/** DWARF expressions as unwind rules use them (DWARF 5, 2.5): a stack machine over 64-bit words. */
import { DwarfCursor } from './cursor.js';

export interface ExpressionState {
  /** By DWARF number; undefined: not known in this frame. */
  register(number: number): bigint | undefined;
  /** An unsigned little-endian word of 1, 2, 4 or 8 bytes; undefined: not mapped. */
  load(address: bigint, size: number): bigint | undefined;
}

const WORD = 64;
const u = (value: bigint): bigint => BigInt.asUintN(WORD, value);
const s = (value: bigint): bigint => BigInt.asIntN(WORD, value);

type Binary = (left: bigint, right: bigint) => bigint;
const BINARY: ReadonlyMap<number, Binary> = new Map<number, Binary>([
  [0x1a, (a, b) => a & b],
  [0x1b, (a, b) => (b === 0n ? 0n : s(a) / s(b))],
  [0x1c, (a, b) => a - b],
  [0x1d, (a, b) => (b === 0n ? 0n : a % b)],
  [0x1e, (a, b) => a * b],
  [0x21, (a, b) => a | b],
  [0x22, (a, b) => a + b],
  [0x24, (a, b) => a << (b & 63n)],
  [0x25, (a, b) => a >> (b & 63n)],
  [0x26, (a, b) => s(a) >> (b & 63n)],
  [0x27, (a, b) => a ^ b],
  [0x29, (a, b) => (a === b ? 1n : 0n)],
  [0x2a, (a, b) => (s(a) >= s(b) ? 1n : 0n)],
  [0x2b, (a, b) => (s(a) > s(b) ? 1n : 0n)],
  [0x2c, (a, b) => (s(a) <= s(b) ? 1n : 0n)],
  [0x2d, (a, b) => (s(a) < s(b) ? 1n : 0n)],
  [0x2e, (a, b) => (a !== b ? 1n : 0n)],
]);

const LONGEST = 10_000;

/** What the expression leaves on top; undefined: it reads what is not there, or uses what no unwind rule needs. */
export function evaluateExpression(
  bytes: Uint8Array,
  state: ExpressionState,
  initial: readonly bigint[] = [],
): bigint | undefined {
  const cursor = new DwarfCursor(bytes);
  const stack = [...initial];
  for (let steps = 0; !cursor.done; steps++) {
    if (steps > LONGEST || !step(cursor, stack, state)) return undefined;
  }
  return stack.at(-1);
}

/** False: cannot go on. */
function step(cursor: DwarfCursor, stack: bigint[], state: ExpressionState): boolean {
  const op = cursor.u8();
  const push = (value: bigint | undefined): boolean => {
    if (value === undefined) return false;
    stack.push(u(value));
    return true;
  };
  const pop = (): bigint => stack.pop() ?? 0n;
  const big = (value: number): bigint => BigInt(value);
  const relative = (register: number): boolean => {
    const offset = cursor.sleb();
    const value = state.register(register);
    return push(value && value + big(offset));
  };
  if (op >= 0x30 && op <= 0x4f) return push(big(op - 0x30)); // lit
  if (op >= 0x50 && op <= 0x6f) return push(state.register(op - 0x50)); // reg
  if (op >= 0x70 && op <= 0x8f) return relative(op - 0x70); // breg
  const binary = BINARY.get(op);
  if (binary !== undefined) {
    const right = pop();
    return push(binary(pop(), right));
  }
  switch (op) {
    case 0x03: // addr
    case 0x0e: // const8u
      return push(big(cursor.u64()));
    case 0x06: // deref
      return push(state.load(pop(), 8));
    case 0x08:
      return push(big(cursor.u8()));
    case 0x09:
      return push(big(cursor.s8()));
    case 0x0a:
      return push(big(cursor.u16()));
    case 0x0b:
      return push(big(cursor.s16()));
    case 0x0c:
      return push(big(cursor.u32()));
    case 0x0d:
      return push(big(cursor.s32()));
    case 0x0f:
      return push(big(cursor.s64()));
    case 0x10:
      return push(big(cursor.uleb()));
    case 0x11:
      return push(big(cursor.sleb()));
    case 0x12: // dup
      return push(stack.at(-1));
    case 0x13: // drop
      pop();
      return true;
    case 0x14: // over
      return push(stack.at(-2));
    case 0x15: // pick
      return push(stack.at(-1 - cursor.u8()));
    case 0x16: {
      const [top, next] = [pop(), pop()];
      return push(top) && push(next);
    }
    case 0x17: {
      const [first, second, third] = [pop(), pop(), pop()];
      return push(first) && push(third) && push(second);
    }
    case 0x19: {
      const value = s(pop());
      return push(value < 0n ? -value : value);
    }
    case 0x1f: // neg
      return push(-pop());
    case 0x20: // not
      return push(~pop());
    case 0x23: // plus_uconst
      return push(pop() + big(cursor.uleb()));
    case 0x28: // bra
    case 0x2f: {
      const to = cursor.s16();
      if (op === 0x2f || pop() !== 0n) cursor.at += to;
      return true;
    }
    case 0x92: // bregx
      return relative(cursor.uleb());
    case 0x94: // deref_size
      return push(state.load(pop(), cursor.u8()));
    case 0x96: // nop
      return true;
    default:
      return false;
  }
}
