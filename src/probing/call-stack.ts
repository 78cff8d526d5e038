/** A thread's stack with names, as debuggers and profilers show it. */
import { type Frame, type LoadedModule, type UnwindStart, unwind } from '../elf/unwind.js';
import { hex } from '../types.js';

export interface StackFrame {
  readonly address: number;
  /** The function; undefined: nothing names it. */
  readonly symbol: string | undefined;
  /** Bytes from its start. */
  readonly offset: number;
  /** The file's path; undefined: the code belongs to none. */
  readonly file: string | undefined;
}

/** From the innermost frame outwards. */
export function callStack(start: UnwindStart, limit?: number): readonly StackFrame[] {
  return unwind(start, limit).map((frame) => frameAt(frame, start.moduleAt(frame.ip)));
}

/** `loaded`: what is mapped at the frame's ip. */
export function frameAt({ ip, isReturn }: Frame, loaded: LoadedModule | undefined): StackFrame {
  if (loaded === undefined) return { address: ip, symbol: undefined, offset: 0, file: undefined };
  const { module, bias } = loaded;
  // A call may be the last instruction of its function.
  const symbol = module.symbols.at(ip - bias - (isReturn ? 1 : 0));
  return {
    address: ip,
    symbol: symbol?.name,
    offset: symbol === undefined ? 0 : ip - bias - symbol.address,
    file: module.path,
  };
}

/** `malloc+0x10`, or the address. */
export function frameName({ symbol, offset, address }: StackFrame): string {
  if (symbol === undefined) return hex(address);
  return offset === 0 ? symbol : `${symbol}+${hex(offset)}`;
}

/** One line for each frame, as `perf script` prints them. */
export function stackLines(stack: readonly StackFrame[]): string[] {
  return stack.map(({ address, symbol, offset, file }) => {
    const name = symbol === undefined ? '[unknown]' : `${symbol}+${hex(offset)}`;
    return `\t${address.toString(16).padStart(16)} ${name} (${file ?? '[unknown]'})`;
  });
}
