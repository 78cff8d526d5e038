/** Walks up a thread's stack by the programs' own call frame information, by frame pointers where there is none. */
import { GPR } from '../register-set.js';
import { type ExpressionState, evaluateExpression } from './dwarf/expression.js';
import type { FrameRules, RegisterRule } from './dwarf/frame-table.js';
import type { Module } from './module.js';

/** A mapped program or library. */
export interface LoadedModule {
  readonly module: Module;
  /** What was added to its linked addresses. */
  readonly bias: number;
}

export interface UnwindStart {
  readonly ip: number;
  /** General registers by hardware number. */
  readonly registers: readonly bigint[];
  /** False: not mapped. Return addresses that probes have replaced must show as they were. */
  read(address: number, into: Uint8Array): boolean;
  /** What is mapped for execution there, if it is a file. */
  moduleAt(address: number): LoadedModule | undefined;
}

/** Instruction pointers from the innermost frame outwards. */
export type Frame = {
  readonly ip: number;
  /** Behind a call: the call, not the instruction at ip, is where the frame is. */
  readonly isReturn: boolean;
};

/** perf's default for --max-stack. */
export const MAX_FRAMES = 127;

/** DWARF numbers of the general registers (System V ABI, figure 3.36), as hardware numbers. */
const HARDWARE = [
  GPR.RAX,
  GPR.RDX,
  GPR.RCX,
  GPR.RBX,
  GPR.RSI,
  GPR.RDI,
  GPR.RBP,
  GPR.RSP,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
] as const;
const DWARF_RSP = 7;

interface State {
  ip: number;
  isReturn: boolean;
  /** By DWARF number. */
  registers: (bigint | undefined)[];
}

export function unwind(start: UnwindStart, limit = MAX_FRAMES): Frame[] {
  const frames: Frame[] = [];
  let state: State | undefined = {
    ip: start.ip,
    isReturn: false,
    registers: HARDWARE.map((hardware) => start.registers[hardware]),
  };
  while (state !== undefined && frames.length < limit) {
    frames.push({ ip: state.ip, isReturn: state.isReturn });
    const next: State | undefined = caller(start, state);
    // A frame that does not lie above its callee's is none; a signal may have come in on a stack of its own.
    if (next?.isReturn && stackOf(next) <= stackOf(state)) break;
    state = next;
  }
  return frames;
}

function stackOf({ registers }: State): bigint {
  return registers[DWARF_RSP] ?? 0n;
}

function caller(start: UnwindStart, state: State): State | undefined {
  const place = state.isReturn ? state.ip - 1 : state.ip;
  const loaded = start.moduleAt(place);
  const rules = loaded?.module.frames?.rules(place - loaded.bias);
  const next = rules === undefined ? byFramePointer(start, state, loaded) : byRules(start, state, rules);
  return next === undefined || next.ip === 0 ? undefined : next;
}

function byRules(
  start: UnwindStart,
  state: State,
  { cfa, registers, returnAddress, isSignal }: FrameRules,
): State | undefined {
  const machine: ExpressionState = {
    register: (number) => state.registers[number],
    load: (address, size) => load(start, address, size),
  };
  const base = cfa.kind === 'register' ? state.registers[cfa.register] : undefined;
  const frame =
    cfa.kind === 'expression' ? evaluateExpression(cfa.expression, machine) : base && base + BigInt(cfa.offset);
  if (frame === undefined) return undefined;
  const recovered = (rule: RegisterRule | undefined, number: number): bigint | undefined => {
    switch (rule?.kind) {
      case undefined:
      case 'same':
        return number === DWARF_RSP ? frame : state.registers[number];
      case 'undefined':
        return undefined;
      case 'offset':
        return load(start, frame + BigInt(rule.offset), 8);
      case 'value':
        return frame + BigInt(rule.offset);
      case 'register':
        return state.registers[rule.register];
      case 'expression': {
        const at = evaluateExpression(rule.expression, machine, [frame]);
        return at === undefined ? undefined : load(start, at, 8);
      }
      case 'valueExpression':
        return evaluateExpression(rule.expression, machine, [frame]);
    }
  };
  const ip = recovered(registers.get(returnAddress), returnAddress);
  if (ip === undefined) return undefined;
  return {
    ip: Number(ip),
    isReturn: !isSignal,
    registers: HARDWARE.map((_, number) => recovered(registers.get(number), number)),
  };
}

/** At a function's first instruction the return address is on top; later rbp leads to it. */
function byFramePointer(start: UnwindStart, state: State, loaded: LoadedModule | undefined): State | undefined {
  const { ip, registers, isReturn } = state;
  const [sp, bp] = [registers[DWARF_RSP], registers[6]];
  if (sp === undefined) return undefined;
  const linked = loaded && ip - loaded.bias;
  const isEntry = linked !== undefined && !isReturn && loaded?.module.symbols.at(linked)?.address === linked;
  if (isEntry) return returnFrom(start, state, sp, bp);
  if (bp === undefined || bp < sp) return undefined;
  return returnFrom(start, state, bp + 8n, load(start, bp, 8));
}

function returnFrom(start: UnwindStart, { registers }: State, slot: bigint, bp: bigint | undefined): State | undefined {
  const ip = load(start, slot, 8);
  if (ip === undefined) return undefined;
  const next = [...registers];
  next[6] = bp;
  next[DWARF_RSP] = slot + 8n;
  return { ip: Number(ip), isReturn: true, registers: next };
}

function load({ read }: UnwindStart, address: bigint, size: number): bigint | undefined {
  const at = Number(BigInt.asUintN(64, address));
  const bytes = new Uint8Array(8);
  if (at >= 2 ** 47 || !read(at, bytes.subarray(0, size))) return undefined;
  return new DataView(bytes.buffer).getBigUint64(0, true);
}
